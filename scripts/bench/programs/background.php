<?php
/* Measures PHP's extension with sets of background tasks: background.php PORT JOBS */

$client = new GearmanClient();
$client->addServer("127.0.0.1", (int) $argv[1]);
$client->ping("x");
$jobs = (int) $argv[2];
$workload = "0123456789abcdef0123456789abcdef";
$cpu = function (): float {
    $usage = getrusage();
    return ($usage["ru_utime.tv_sec"] + $usage["ru_stime.tv_sec"]) * 1e3
        + ($usage["ru_utime.tv_usec"] + $usage["ru_stime.tv_usec"]) / 1e3;
};
$cpuBegin = $cpu();
$begin = hrtime(true);
for ($i = 0; $i < $jobs; $i += 1000) {
    for ($j = 0; $j < 1000; $j++) $client->addTaskBackground("bench", $workload, null, "");
    $client->runTasks();
}
$ms = (hrtime(true) - $begin) / 1e6;
echo json_encode(["jobs" => $jobs, "ms" => $ms, "cpu" => $cpu() - $cpuBegin, "peak" => memory_get_peak_usage(true)]), "\n";
