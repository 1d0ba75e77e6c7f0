/** Exchanges that are played against gearmand and against JobServer alike, and must look the same. */

import { PacketType as P } from "../../src/codec/mod.ts";
import type { JobServerOptions } from "../../src/server/mod.ts";
import { request as r } from "./wire.ts";

/** One step: a connection (made when first named) sends something, or closes. */
export type Step = readonly [connection: string, ...bytes: string[]] | readonly [connection: string, close: null];

/** A named exchange; `H:1` in it stands for the server's first handle. */
export interface Script {
  readonly name: string;
  readonly options?: JobServerOptions;
  readonly args?: readonly string[];
  readonly steps: readonly Step[];
}

const canDo = (...names: string[]) => names.map((name) => r(P.CAN_DO, name)).join("");
const grab = r(P.GRAB_JOB);
const grabAll = r(P.GRAB_JOB_ALL);
const sleep = r(P.PRE_SLEEP);
const submit = (name: string, unique: string, workload = "") => r(P.SUBMIT_JOB, name, unique, workload);
const submitBg = (name: string, unique: string, workload = "") => r(P.SUBMIT_JOB_BG, name, unique, workload);
const complete = (handle: string, data = "") => r(P.WORK_COMPLETE, handle, data);

/** Clients and workers. */
export const packetScripts: readonly Script[] = [
  {
    name: "a foreground job with all that a worker may send",
    steps: [
      ["w", canDo("f"), grab, sleep],
      ["c", submit("f", "u", "work\0load")],
      ["w", grab],
      ["c", r(P.GET_STATUS, "H:1"), r(P.GET_STATUS, "H:1\0x"), r(P.GET_STATUS_UNIQUE, "u")],
      ["w", r(P.WORK_DATA, "H:1", "da\0ta"), r(P.WORK_DATA, "H:1", ""), r(P.WORK_WARNING, "H:1", "warning")],
      [
        "w",
        r(P.WORK_STATUS, "H:1", "1", "2"),
        r(P.WORK_STATUS, "H:1", "-1", "abc"),
        r(P.WORK_STATUS, "H:1", " 1.5", ""),
      ],
      ["c", r(P.GET_STATUS, "H:1"), r(P.GET_STATUS_UNIQUE, "u\0tail")],
      ["w", complete("H:1", "result")],
      ["c", r(P.GET_STATUS, "H:1"), r(P.GET_STATUS_UNIQUE, "u"), r(P.GET_STATUS, ""), r(P.GET_STATUS_UNIQUE, "")],
      ["w", complete("H:1"), grab, sleep],
    ],
  },
  {
    name: "WORK_FAIL, with a tail and without, and too long",
    steps: [
      ["w", canDo("f")],
      ["c", submit("f", "1"), submit("f", "2"), submit("f", "3")],
      ["w", grab, grab, grab, r(P.WORK_FAIL, "H:1"), r(P.WORK_FAIL, "H:2\0tail")],
      ["w", r(P.WORK_FAIL, "x".repeat(63)), r(P.WORK_FAIL, "x".repeat(64)), r(P.WORK_FAIL, `H:3\0${"x".repeat(64)}`)],
      ["w", r(P.WORK_FAIL, "H:3\0")],
    ],
  },
  {
    name: "WORK_* of a job that is unknown, queued, or another worker's",
    steps: [
      ["w", canDo("f")],
      ["v", canDo("f")],
      ["c", submit("f", "u")],
      ...["H:9", "H:1"].map((handle): Step => [
        "w",
        r(P.WORK_DATA, handle, "x"),
        r(P.WORK_WARNING, handle, "x"),
        r(P.WORK_STATUS, handle, "1", "2"),
        complete(handle),
        r(P.WORK_FAIL, handle),
        r(P.WORK_EXCEPTION, handle, "x"),
      ]),
      ["v", grab],
      ["w", r(P.WORK_DATA, "H:1", "x"), complete("H:1", "x"), r(P.WORK_EXCEPTION, "H:1", "x")],
      ["v", complete("H:1", "y")],
    ],
  },
  {
    name: "WORK_EXCEPTION ends the job, for clients with and without the option",
    steps: [
      ["w", canDo("f")],
      ["c", r(P.OPTION_REQ, "exceptions"), submit("f", "u"), submit("f", "u")],
      ["d", r(P.OPTION_REQ, "EXCEPTIONS\0"), submit("f", "u")],
      ["e", r(P.OPTION_REQ, "nothing"), r(P.OPTION_REQ, "x".repeat(64)), submit("f", "u")],
      ["w", grab, r(P.WORK_EXCEPTION, "H:1", "why\0so"), r(P.WORK_FAIL, "H:1")],
      ["c", r(P.GET_STATUS, "H:1")],
    ],
  },
  {
    name: "exceptions for everybody",
    options: { exceptions: true },
    args: ["--exceptions"],
    steps: [["w", canDo("f")], ["c", submit("f", "u")], ["w", grab, r(P.WORK_EXCEPTION, "H:1", "why")]],
  },
  {
    name: "coalescing: subscriptions, background submissions, empty uniques and -",
    steps: [
      ["w", canDo("f", "g")],
      [
        "c",
        submit("f", "u", "1"),
        submit("f", "u", "2"),
        submitBg("f", "b", "3"),
        submit("f", "b", ""),
        submit("g", "w", "4"),
      ],
      ["d", submit("f", "u", "5"), r(P.SUBMIT_JOB_HIGH, "f", "u", "6")],
      ["c", submit("f", "", "same"), submit("f", "", "same"), submit("f", "-", "same"), submit("f", "-", "same")],
      ["c", submit("f", "same", "other"), submit("f", "-", ""), submit("f", "-", ""), r(P.GET_STATUS_UNIQUE, "-")],
      ["c", "show jobs\nstatus\n"],
      ["w", r(P.CANT_DO, "g"), r(P.GRAB_JOB_UNIQ)],
      ["e", submit("f", "u", "7"), r(P.GET_STATUS_UNIQUE, "u")],
      ["w", r(P.WORK_DATA, "H:1", "x"), complete("H:1", "y"), r(P.GRAB_JOB_UNIQ), r(P.GRAB_JOB_UNIQ)],
      ["w", r(P.GRAB_JOB_UNIQ), r(P.GRAB_JOB_UNIQ), r(P.GRAB_JOB_UNIQ), r(P.GRAB_JOB_UNIQ), r(P.GRAB_JOB_UNIQ)],
    ],
  },
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
    name: "sleeping: one NOOP a sleep, and at once where there is work",
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
    name: "CAN_DO while asleep wakes nobody for what is queued, but for what comes",
    steps: [
      ["w", canDo("f"), sleep],
      ["c", submitBg("g", "1")],
      ["w", canDo("g")],
      ["c", submitBg("g", "2")],
      ["w", grab, grab, grab],
    ],
  },
  {
    name: "a lost worker: its jobs go to the end of their line",
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
    name: "a lost worker wakes a sleeper; an ignored job that may not be tried again is gone",
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
    name: "an abandoned foreground job is thrown away when a worker looks",
    steps: [
      ["w", canDo("f")],
      ["c", submit("f", "1"), submit("f", "2"), submit("f", "2")],
      ["d", submit("f", "2"), submitBg("f", "3")],
      ["w", grab],
      ["c", null],
      ["d", "show jobs\nstatus\n", r(P.GET_STATUS, "H:2"), r(P.GET_STATUS_UNIQUE, "2")],
      ["d", null],
      ["w", "show jobs\nstatus\n", complete("H:1"), r(P.GET_STATUS, "H:2"), grab, "show jobs\nstatus\n"],
    ],
  },
  {
    name: "a running abandoned job can be joined again, and one that lost its worker is thrown away",
    steps: [
      ["w", canDo("f")],
      ["c", submit("f", "1"), submit("f", "2")],
      ["w", grab, grab],
      ["c", null],
      ["d", submit("f", "1")],
      ["w", complete("H:1", "result")],
      ["w", null],
      ["d", "show jobs\n"],
      ["v", canDo("f"), grab, "show jobs\n"],
    ],
  },
  {
    name: "uniques of 63 bytes and of more than 64",
    steps: [
      ["w", canDo("f")],
      ["c", submit("f", "x".repeat(63)), submit("f", "x".repeat(65)), r(P.GET_STATUS_UNIQUE, "x".repeat(63))],
      ["c", submit("f", "x".repeat(63)), submitBg("f", "x".repeat(65)), r(P.GET_STATUS, "x".repeat(63))],
      ["w", grabAll, grabAll],
    ],
  },
  {
    name: "epoch jobs: waiting, due, and joined",
    steps: [
      ["w", canDo("f")],
      ["c", r(P.SUBMIT_JOB_EPOCH, "f", "1", "99999999999", ""), r(P.SUBMIT_JOB_EPOCH, "f", "2", "1", "x")],
      ["c", r(P.SUBMIT_JOB_EPOCH, "f", "3", "-5", ""), r(P.SUBMIT_JOB_EPOCH, "f", "4", "soon", ""), submit("f", "5")],
      [
        "c",
        r(P.GET_STATUS, "H:1"),
        submit("f", "1"),
        r(P.GET_STATUS_UNIQUE, "1"),
        "status\nprioritystatus\nshow jobs\n",
      ],
      ["w", grab, grab, grab, grab, grab, sleep],
    ],
  },
  {
    name: "requests that are none, and responses, are refused, and the connection stays",
    steps: [
      [
        "c",
        r(P.JOB_CREATED, "h"),
        r(P.NO_JOB),
        r(P.ALL_YOURS),
        r(P.SUBMIT_JOB_SCHED, "f", "u", "", "", "", "", "", ""),
      ],
      ["c", r(P.ERROR, "a", "b"), r(P.JOB_ASSIGN_ALL, "h", "f", "u", "r", "w"), r(P.NOOP), r(P.ECHO_RES, "x")],
      ["c", r(P.ECHO_REQ, "x").replace("REQ", "RES"), r(P.SUBMIT_JOB, "f", "u", "").replace("REQ", "RES")],
      ["c", r(P.ECHO_REQ, ""), r(P.ECHO_REQ, "a\0b"), "\0REQ\0\0\0\x09\0\0\0\x03abc"],
    ],
  },
  { name: "type 43 closes the connection", steps: [["c", "\0REQ\0\0\0\x2b\0\0\0\0"], ["d", "status\n"]] },
  { name: "type 0 closes the connection", steps: [["c", "\0REQ\0\0\0\0\0\0\0\0"], ["d", "status\n"]] },
  { name: "another magic closes the connection", steps: [["c", "\0XXX\0\0\0\x10\0\0\0\0"], ["d", "status\n"]] },
  {
    name: "names of any bytes, empty ones, and case",
    steps: [
      ["w", canDo("\u00e4\u00ff", "F", ""), r(P.CAN_DO, "f\0x"), "workers\n"],
      ["c", submit("\u00e4\u00ff", "\u00fc", "\u00df"), submit("F", "1"), submit("f", "1"), submit("", "1", "empty")],
      ["w", grabAll, grabAll, grabAll, grabAll, r(P.CANT_DO, ""), "status\nprioritystatus\n"],
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
];
