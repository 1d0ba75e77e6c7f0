// Reads the result of a job over a gateway, 5 ms for each piece, and prints its size and the peak of the memory in bytes.
// `slow_reader.ts URL SIZE`

import { readFileSync } from "node:fs";
import process from "node:process";
import { fromWebSocket, GearmanClient } from "../../mod.ts";

// Not that of test/support, which brings the server of ws: its 20 MB are not the client's.
const Socket = (globalThis as { WebSocket?: typeof WebSocket }).WebSocket ?? (await import("ws")).default;

const [url = "", bytes = ""] = process.argv.slice(2);
const client = new GearmanClient({ dial: () => fromWebSocket(new Socket(url, "gearman")) });
let size = 0;
for await (const event of client.do("pieces", bytes)) {
  if (event.type === "data") size += event.data.length;
  await new Promise((resolve) => setTimeout(resolve, 5));
}
await client.close();
const [, peak] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))!;
process.stdout.write(JSON.stringify({ size, peak: Number(peak) * 1_024 }));
process.exit();
