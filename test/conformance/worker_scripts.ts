/** Exchanges of workers that gearmand and JobServer answer alike. */

import { PacketType as P } from "../../src/codec/mod.ts";
import { canDo, complete, grab, grabAll, type Script, sleep, SOON, submit, submitBg, UNTIL } from "./script.ts";
import { request as r } from "./wire.ts";

export const workerScripts: readonly Script[] = [
  {
    name: "priorities, first in first out in each, and the newest function first",
    steps: [
      ["w", canDo("f", "g")],
      [
        "c",
        r(P.SUBMIT_JOB_LOW, "f", "1", ""),
        r(P.SUBMIT_JOB_LOW_BG, "f", "2", ""),
        submit("f", "3"),
        submitBg("f", "4"),
      ],
      [
        "c",
        r(P.SUBMIT_JOB_HIGH, "f", "5", ""),
        r(P.SUBMIT_JOB_HIGH_BG, "f", "6", ""),
        r(P.SUBMIT_JOB_LOW, "g", "7", ""),
      ],
      ["c", "prioritystatus\nstatus\n"],
      ["w", grab, grab, "prioritystatus\nstatus\n", grab, grab, grab, grab, grab, grab],
      ["c", "prioritystatus\nstatus\n"],
    ],
  },
  {
    name: "round robin",
    options: { roundRobin: true },
    args: ["-R"],
    steps: [
      ["w", canDo("f", "g", "h")],
      ["c", ...["f", "g", "h"].flatMap((name) => ["1", "2", "3"].map((unique) => submitBg(name, name + unique)))],
      ["w", ...Array<string>(10).fill(grab), "workers\n"],
    ],
  },
  {
    name: "the three grabs, with reducers and without",
    steps: [
      ["w", canDo("f")],
      ["c", r(P.SUBMIT_REDUCE_JOB, "f", "u1", "reducer", "", "w"), r(P.SUBMIT_REDUCE_JOB, "f", "u2", "", "", "w")],
      ["c", r(P.SUBMIT_REDUCE_JOB_BACKGROUND, "f", "u3", "r", "a", "w"), submit("f", "-", "w"), submit("f", "", "w")],
      ["c", r(P.SUBMIT_REDUCE_JOB, "f", "u4", "r", "", "w"), r(P.SUBMIT_REDUCE_JOB, "f", "u5", "r", "", "")],
      ["w", grabAll, grabAll, grabAll, grabAll, grabAll, grab, r(P.GRAB_JOB_UNIQ), grabAll],
      [
        "c",
        r(P.SUBMIT_REDUCE_JOB, "f", "u", "x".repeat(65), "", ""),
        r(P.SUBMIT_REDUCE_JOB, "f", "u", "x".repeat(63), "", ""),
      ],
      ["w", grabAll],
    ],
  },
  {
    name: "one NOOP for each PRE_SLEEP, at once if there is a job",
    steps: [
      ["w", sleep, grab, canDo("f"), sleep, sleep],
      ["v", canDo("f"), sleep],
      ["c", submit("f", "1"), submit("f", "2")],
      ["c", submit("f", "3")],
      ["w", sleep, sleep, grab, grab, sleep, grab, grab, sleep],
      ["v", grab],
      ["c", submitBg("f", "4")],
      ["both", canDo("f"), r(P.SET_CLIENT_ID, "me")],
      ["w", grab],
      ["both", sleep, submitBg("f", "5"), grab],
      ["both", canDo("g"), "workers\n"],
    ],
  },
  {
    name: "CAN_DO while asleep wakes the worker for new jobs, and not for queued ones",
    steps: [
      ["w", canDo("f"), sleep],
      ["c", submitBg("g", "1")],
      ["w", canDo("g")],
      ["c", submitBg("g", "2")],
      ["w", grab, grab, grab],
    ],
  },
  {
    name: "the jobs of a lost worker go to the end of their queue",
    steps: [
      ["w", canDo("f")],
      ["v", canDo("f"), sleep],
      ["c", submit("f", "1"), submit("f", "2"), r(P.SUBMIT_JOB_HIGH, "f", "3", "")],
      ["w", grab, grab, r(P.WORK_STATUS, "H:3", "1", "2"), r(P.WORK_DATA, "H:3", "x")],
      ["w", null],
      ["c", "show jobs\nstatus\n", r(P.GET_STATUS, "H:3")],
      ["v", grab, grab, grab, grab],
    ],
  },
  {
    name: "CANT_DO and RESET_ABILITIES give running jobs back",
    steps: [
      ["w", canDo("f", "g", "f"), "workers\nstatus\n"],
      ["v", canDo("f", "g"), sleep],
      ["c", submit("f", "1"), submit("g", "2"), submit("f", "3")],
      ["w", grab, grab, grab, r(P.CANT_DO, "f"), r(P.CANT_DO, "unknown"), complete("H:1"), "workers\nstatus\n"],
      ["v", grab, grab, grab],
      ["w", r(P.RESET_ABILITIES), complete("H:2"), grab, "workers\nstatus\nshow jobs\n"],
      ["v", grab],
    ],
  },
  {
    name: "job retries",
    options: { jobRetries: 2 },
    args: ["--job-retries=2"],
    steps: [
      ["w", canDo("f")],
      ["c", submit("f", "1"), submit("f", "1"), submitBg("f", "2")],
      ["w", grab, r(P.CANT_DO, "f"), "show jobs\n", canDo("f"), grab, grab, r(P.CANT_DO, "f"), "show jobs\n"],
      ["w", canDo("f"), grab, r(P.RESET_ABILITIES), "show jobs\nstatus\n", canDo("f"), grab],
    ],
  },
  {
    name: "a function registered twice, in turn with another",
    options: { roundRobin: true },
    args: ["-R"],
    steps: [
      ["w", canDo("f", "g", "f")],
      ["c", submitBg("f", "1"), submitBg("f", "2"), submitBg("f", "3"), submitBg("g", "4"), submitBg("g", "5")],
      ["w", grab, grab, grab, grab, grab, grab, "workers\n"],
    ],
  },
  {
    name: "a lost worker wakes a sleeping one; an ignored job without retries left is discarded",
    options: { jobRetries: 2 },
    args: ["--job-retries=2"],
    steps: [
      ["w", canDo("f")],
      ["v", canDo("f"), sleep],
      ["c", submit("f", "1")],
      ["w", grab],
      ["v", grab, sleep],
      ["w", null],
      ["v", grab],
      ["c", null],
      ["v", r(P.WORK_DATA, "H:1", "x"), r(P.WORK_STATUS, "H:1", "4", "5"), r(P.GET_STATUS, "H:1")],
      ["v", null],
      ["d", "show jobs\nstatus\n"],
    ],
  },
  {
    name: "worker wakeup",
    options: { workerWakeup: 1 },
    args: ["--worker-wakeup=1"],
    steps: [
      ["w", canDo("f"), sleep],
      ["c", submitBg("f", "1")],
      ["w", grab, complete("H:1"), grab],
      ["w", sleep],
      ["c", submitBg("f", "2")],
    ],
  },
  {
    name: "CAN_DO_TIMEOUT registers like CAN_DO",
    steps: [
      [
        "w",
        r(P.CAN_DO_TIMEOUT, "f", "60000"),
        r(P.CAN_DO_TIMEOUT, "g", ""),
        r(P.CAN_DO_TIMEOUT, "h", "x"),
        "workers\n",
      ],
      ["c", submit("f", "1"), submit("g", "2"), submit("h", "3")],
      ["w", grab, grab, grab, complete("H:1"), complete("H:2"), complete("H:3"), grab, sleep, "status\n"],
    ],
  },
  {
    name: "names of any bytes, empty ones, and case",
    steps: [
      ["w", canDo("\u00e4\u00ff", "F", ""), r(P.CAN_DO, "f\0x"), "workers\n"],
      ["c", submit("\u00e4\u00ff", "\u00fc", "\u00df"), submit("F", "1"), submit("f", "1"), submit("", "1", "empty")],
      ["w", grabAll, grabAll, grabAll, grabAll, r(P.CANT_DO, ""), "status\nprioritystatus\n"],
    ],
  },
  {
    name: "a worker that can do nothing gets nothing, and is not woken",
    steps: [
      ["c", submitBg("f", "1")],
      ["w", grab, grabAll, r(P.GRAB_JOB_UNIQ), sleep],
      ["c", submitBg("f", "2")],
      ["w", canDo("g"), grab, sleep, r(P.CANT_DO, "f")],
      ["c", submitBg("f", "3")],
    ],
  },
  {
    name: "with one retry, a job fails when its worker is lost",
    options: { jobRetries: 1 },
    args: ["--job-retries=1"],
    steps: [
      ["w", canDo("f")],
      ["c", submit("f", "1"), submit("f", "2"), submitBg("f", "3")],
      ["w", grab, grab, r(P.WORK_DATA, "H:1", "x"), complete("H:2")],
      ["w", null],
      ["c", "show jobs\nstatus\n", r(P.GET_STATUS, "H:1"), submit("f", "1")],
    ],
  },
  {
    name: "a worker may hold many jobs, and end them in any order",
    steps: [
      ["w", canDo("f"), grab.repeat(4)],
      ["c", submit("f", "1"), submit("f", "2"), submit("f", "3"), submit("f", "4")],
      ["w", grab.repeat(5), complete("H:3", "3"), r(P.WORK_FAIL, "H:1"), sleep],
      ["w", r(P.WORK_STATUS, "H:4", "1", "2"), complete("H:2", "2"), r(P.WORK_EXCEPTION, "H:4", "4"), "status\n"],
      ["w", complete("H:4"), r(P.WORK_STATUS, "H:3", "1", "1")],
    ],
  },
  {
    name: "a worker that sleeps with jobs of its own is woken for them when it gives them back",
    steps: [
      ["w", canDo("f", "g")],
      ["c", submit("f", "1"), submit("g", "2")],
      ["w", grab, grab],
      ["w", sleep],
      ["w", r(P.RESET_ABILITIES), grab],
      ["v", canDo("g", "f"), grab, grab, sleep],
    ],
  },
  {
    name: "worker wakeup rotates: a woken worker comes last",
    options: { workerWakeup: 1 },
    args: ["--worker-wakeup=1"],
    steps: [
      ["u", canDo("f")],
      ["v", canDo("f")],
      ["w", canDo("f")],
      ["w", sleep],
      ["u", sleep],
      ["v", sleep],
      ["c", submitBg("f", "1")],
      ["c", submitBg("f", "2")],
      ["u", grab, grab, grab, sleep],
      ["c", submitBg("f", "3")],
      ["c", submitBg("f", "4")],
    ],
  },
  {
    name: "worker wakeup of two",
    options: { workerWakeup: 2 },
    args: ["--worker-wakeup=2"],
    steps: [
      ["u", canDo("f"), sleep],
      ["v", canDo("f", "f"), sleep],
      ["w", canDo("f"), sleep],
      ["c", submitBg("f", "1")],
      ["c", submitBg("f", "2")],
      ["u", grab, grab, grab, sleep],
      ["v", grab, sleep],
      ["c", submitBg("f", "3")],
    ],
  },
  {
    name: "with round robin, a discarded job takes the turn of its function",
    options: { roundRobin: true },
    args: ["-R"],
    steps: [
      ["c", submit("g", "1")],
      ["c", null],
      ["d", submitBg("g", "2"), submitBg("f", "3"), submitBg("f", "4")],
      ["w", canDo("f", "g"), grab, grab, grab, grab, "workers\n"],
    ],
  },
  {
    name: "a function registered twice is twice in the lists, and gone at once",
    steps: [
      ["w", canDo("f", "f"), r(P.CAN_DO_TIMEOUT, "f", "60000"), "workers\nstatus\n"],
      ["c", submit("f", "1"), submit("f", "2")],
      ["w", grab, r(P.CANT_DO, "f"), "workers\nstatus\n", grab],
      ["v", canDo("f"), grab, grab],
    ],
  },
  {
    name: "a connection that is client, worker and administrator",
    steps: [
      ["a", canDo("f"), submit("f", "u", "w"), grab, r(P.SET_CLIENT_ID, "all"), "workers\n"],
      ["a", r(P.WORK_DATA, "H:1", "x"), r(P.GET_STATUS, "H:1"), complete("H:1", "y"), "status\n", grab, sleep],
      ["a", submit("f", "u"), sleep],
      ["a", null],
      ["b", "show jobs\nstatus\n", canDo("f"), grab],
    ],
  },
  {
    name: "progress is cut to 32 bits, and a number of more than 64 bits is all ones",
    steps: [
      ["c", submit("f", "1")],
      ["w", canDo("f"), grab],
      ...[
        "4294967296 1",
        "99999999999999999999 2",
        "-99999999999 3",
        "2147483648 9999999999",
        "+5 +6",
        "9007199254740993 \u00a05",
        "18446744073709551615 \x0b7",
      ].flatMap(
        (two) => {
          const [numerator, denominator] = two.split(" ") as [string, string];
          return [["w", r(P.WORK_STATUS, "H:1", numerator, denominator)], ["c", r(P.GET_STATUS, "H:1")]] as const;
        },
      ),
    ],
  },
  {
    name: "a due epoch job gets the position that it would have without waiting",
    steps: [
      ["c", r(P.SUBMIT_JOB_EPOCH, "f", "1", SOON, "")],
      ["c", submitBg("f", "2"), submitBg("f", "3"), r(P.SUBMIT_JOB_EPOCH, "g", "", SOON, "")],
      ["u", canDo("f"), grab],
      ["u", null],
      ["v", canDo("g")],
      ["v", UNTIL, grab, "JOB_ASSIGN"],
      ["w", canDo("f"), grab, grab, grab, grab],
    ],
  },
];
