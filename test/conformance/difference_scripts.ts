/** Exchanges that gearmand and JobServer answer differently: one for each row of the table in src/server/mod.ts. */

import { PacketType as P } from "../../src/codec/mod.ts";
import {
  canDo,
  complete,
  grab,
  grabUniq,
  type Script,
  SILENT,
  sleep,
  SOON,
  submit,
  submitBg,
  UNTIL,
} from "./script.ts";
import { request as r } from "./wire.ts";

/** A script with the name of the row that it shows. */
export interface Difference extends Script {
  /** Lines that JobServer answers and gearmand does not. */
  readonly ours: readonly string[];
  /** Matches the answers of gearmand if they differ from run to run, so that they cannot be recorded. */
  readonly theirs?: RegExp;
}

/** Rows that no script shows: the reason, and the test that shows them. */
export const NOT_PLAYED: Readonly<Record<string, string>> = {
  "a worker's 100,001st CAN_DO, or the server's 100,001st function":
    "gearmand takes minutes for this; job_server_load_test.ts shows JobServer",
  "requests, and in the same write the end of the connection":
    "gearmand receives both at once only by chance; job_server_test.ts shows JobServer",
  "answers that the peer does not read": "gearmand keeps them all; job_server_load_test.ts shows JobServer",
  "a job that is assigned and, in the same write, ended by its worker":
    "gearmand sends random bytes; differences_test.ts shows JobServer",
};

export const differenceScripts: readonly Difference[] = [
  {
    name: "a packet type of 0x80000000 or more",
    steps: [["d", "version\n"], ["c", "\0REQ\x80\0\0\0\0\0\0\0"], ["d", "version\n"]],
    ours: ["3 d: OK NUMBER\\n"],
  },
  {
    name: "packet type 5, which is unused",
    steps: [["c", "\0REQ\0\0\0\x05\0\0\0\0"]],
    ours: ["1 c: (end)"],
  },
  {
    name: "a packet with too few arguments",
    steps: [["c", "version\n"], ["c", SILENT, "\0REQ\0\0\0\x07\0\0\0\x03f\0u"], ["d", "version\n"], ["d", "workers\n"]],
    ours: ["4 d: FD IP - :\\nFD IP - :\\n.\\n"],
  },
  {
    name: "a body of up to 4 GiB",
    steps: [["c", "version\n"], ["c", SILENT, "\0REQ\0\0\0\x10\xff\xff\xff\xff"], ["d", "version\n"], [
      "d",
      "workers\n",
    ]],
    ours: ["4 d: FD IP - :\\nFD IP - :\\n.\\n"],
  },
  {
    name: "GET_STATUS, GET_STATUS_UNIQUE of 64 bytes or more",
    steps: [["c", r(P.GET_STATUS, "x".repeat(64)), r(P.GET_STATUS_UNIQUE, "y".repeat(64)), r(P.ECHO_REQ, "next")]],
    theirs: /^(1 c: (\[ECHO_RES next\])?(\(end\))?)?$/,
    ours: [`1 c: [STATUS_RES ${"x".repeat(64)}|0|0|0|0][STATUS_RES_UNIQUE ${"y".repeat(64)}|0|0|0|0|0][ECHO_RES next]`],
  },
  {
    name: "a unique of 64 bytes",
    steps: [["c", submit("f", "u".repeat(64), "load"), submit("f", "u".repeat(64))], ["w", canDo("f"), grabUniq]],
    ours: ["1 c: [JOB_CREATED H:1][JOB_CREATED H:1]", `2 w: [JOB_ASSIGN_UNIQ H:1|f|${"u".repeat(64)}|load]`],
  },
  {
    name: 'the unique "-" beside a job whose unique is its workload',
    steps: [
      ["c", submit("f", "x", "x"), submit("f", "-", "x"), submit("g", "-", "-"), r(P.GET_STATUS_UNIQUE, "-")],
    ],
    ours: ["1 c: [JOB_CREATED H:1][JOB_CREATED H:2][JOB_CREATED H:3][STATUS_RES_UNIQUE -|0|0|0|0|0]"],
  },
  {
    name: "a unique of more than 64 bytes, of a reduce job",
    steps: [["c", r(P.SUBMIT_REDUCE_JOB, "f", "u".repeat(65), "r", "", "")]],
    ours: ["1 c: [ERROR ARGUMENT_TOO_LARGE|Unique value too large]"],
  },
  {
    name: "SUBMIT_JOB_EPOCH with a number over 64 bits",
    steps: [["c", r(P.SUBMIT_JOB_EPOCH, "f", "", "9".repeat(30), ""), r(P.ECHO_REQ, "next")]],
    theirs: /^(1 c: (\[ECHO_RES next\])?(\(end\))?)?$/,
    ours: ["1 c: [ERROR ARGUMENT_TOO_LARGE|Epoch value too large][ECHO_RES next]"],
  },
  {
    name: "CAN_DO_TIMEOUT with 2^63 - 1 or more",
    steps: [["c", submitBg("f", "1")], ["w", r(P.CAN_DO_TIMEOUT, "f", "9".repeat(30)), grab]],
    theirs: /^1 c: \[JOB_CREATED H:1\]\n2 w: (\[NO_JOB\])?(\(end\))?$/,
    ours: ["1 c: [JOB_CREATED H:1]", "2 w: [JOB_ASSIGN H:1|f|]"],
  },
  {
    name: "a job that was lost 256 times",
    steps: [
      ["c", submitBg("f", "1")],
      ["w", (canDo("f") + grab + r(P.RESET_ABILITIES)).repeat(256)],
      ["c", "show jobs\n"],
    ],
    ours: ["3 c: H:1\\t256\\t0\\t1\\n.\\n"],
  },
  {
    name: "WORK_STATUS with a denominator over 10 bytes",
    steps: [["c", submit("f", "1")], ["w", canDo("f"), grab, r(P.WORK_STATUS, "H:1", "1", "10000000000.5")]],
    theirs: /^1 c: \[JOB_CREATED H:1\]\n2 w: (\[JOB_ASSIGN H:1\|f\|\])?(\(end\))?(\n2 c: \(end\))?$/,
    ours: ["1 c: [JOB_CREATED H:1]", "2 w: [JOB_ASSIGN H:1|f|]", "2 c: [WORK_STATUS H:1|1|10000000000.5]"],
  },
  {
    name: "the time limit of CAN_DO_TIMEOUT, when the worker grabs another job",
    steps: [
      ["c", submitBg("f", "1"), submitBg("f", "2"), submitBg("g", "3")],
      ["w", r(P.CAN_DO_TIMEOUT, "f", "1000"), grab, grab],
      ["v", r(P.CAN_DO_TIMEOUT, "g", "1500"), grab],
      ["c", UNTIL, "show jobs\n", "H:3\t1"],
    ],
    ours: ["4 c: H:1\\t1\\t0\\t1\\nH:2\\t1\\t0\\t1\\nH:3\\t1\\t0\\t1\\n.\\n"],
  },
  {
    name: "that time limit, when the worker sends PRE_SLEEP",
    steps: [
      ["c", submitBg("f", "1"), submitBg("g", "2")],
      ["w", r(P.CAN_DO_TIMEOUT, "f", "1000"), grab, sleep],
      ["v", r(P.CAN_DO_TIMEOUT, "g", "1500"), grab],
      ["c", UNTIL, "show jobs\n", "H:2\t1"],
    ],
    ours: ["4 c: H:1\\t1\\t0\\t1\\nH:2\\t1\\t0\\t1\\n.\\n", "4 w: [NOOP]"],
  },
  {
    name: "that time limit, when the job is done and the worker sends nothing more",
    steps: [
      ["c", submitBg("f", "1"), submitBg("g", "2")],
      ["w", r(P.CAN_DO_TIMEOUT, "f", "1000"), grab, complete("H:1")],
      ["v", r(P.CAN_DO_TIMEOUT, "g", "1500"), grab],
      ["c", UNTIL, "show jobs\n", "H:2\t1"],
      ["c", "status\n"],
    ],
    ours: ["5 c: f\\t0\\t0\\t1\\ng\\t1\\t0\\t1\\n.\\n"],
  },
  {
    name: "a foreground job that its clients have left, submitted again while queued",
    steps: [
      ["c", submit("f", "1"), submit("f", "2")],
      ["c", null],
      ["d", submit("f", "1"), submitBg("f", "2"), "show jobs\n"],
      ["w", canDo("f"), grab, grab],
    ],
    ours: [
      "3 d: [JOB_CREATED H:1][JOB_CREATED H:2]H:1\\t0\\t0\\t0\\nH:2\\t0\\t0\\t1\\n.\\n",
      "4 w: [JOB_ASSIGN H:1|f|][JOB_ASSIGN H:2|f|]",
    ],
  },
  {
    name: "such a job that is submitted again while it runs, and then its worker is lost",
    steps: [
      ["c", submit("f", "1")],
      ["w", canDo("f"), grab],
      ["c", null],
      ["d", submit("f", "1")],
      ["w", null],
      ["v", canDo("f"), grab],
    ],
    ours: ["6 v: [JOB_ASSIGN H:1|f|]"],
  },
  {
    name: "a background job that foreground clients joined, and left",
    steps: [["d", submitBg("f", "1")], ["c", submit("f", "1")], ["c", null], ["w", canDo("f"), grab]],
    ours: ["4 w: [JOB_ASSIGN H:1|f|]"],
  },
  {
    name: "a background submission that joins a foreground job",
    steps: [["c", submit("f", "1")], ["d", submitBg("f", "1")], ["c", null], ["w", canDo("f"), grab]],
    ours: ["4 w: [JOB_ASSIGN H:1|f|]"],
  },
  {
    name: "`cancel job` of a running job",
    steps: [
      ["c", submit("f", "1")],
      ["w", canDo("f"), grab],
      ["d", "cancel job H:1\n", "cancel job H:1\n"],
      ["w", r(P.WORK_DATA, "H:1", "x"), complete("H:1", "y")],
    ],
    ours: ["3 c: [WORK_FAIL H:1]"],
  },
  {
    name: "`cancel job` of a queued job",
    steps: [
      ["c", submit("f", "1")],
      ["d", "cancel job H:1\n", r(P.GET_STATUS, "H:1"), r(P.GET_STATUS_UNIQUE, "1"), "cancel job H:1\n"],
    ],
    ours: [
      "2 d: OK\\r\\n[STATUS_RES H:1|1|0|0|0][STATUS_RES_UNIQUE 1|0|0|0|0|0]OK\\r\\n",
      "2 c: [WORK_FAIL H:1]",
    ],
  },
  {
    name: "`cancel job` of an epoch job that waits",
    steps: [
      ["c", r(P.SUBMIT_JOB_EPOCH, "f", "1", "99999999999", "")],
      ["c", "cancel job H:1\n", "show jobs\nprioritystatus\n", "drop function f\n", "show jobs\n"],
    ],
    ours: ["2 c: OK\\r\\n.\\nf\\t0\\t0\\t0\\t0\\n.\\nOK\\r\\n.\\n"],
  },
  {
    name: "a submission with the unique of a cancelled job",
    steps: [
      ["c", submit("f", "1"), "cancel job H:1\n", submit("f", "1")],
      ["w", canDo("f"), grab],
    ],
    ours: ["1 c: [JOB_CREATED H:1][WORK_FAIL H:1]OK\\r\\n[JOB_CREATED H:2]", "2 w: [JOB_ASSIGN H:2|f|]"],
  },
  {
    name: "an epoch job that waits",
    steps: [
      ["c", r(P.SUBMIT_JOB_EPOCH, "f", "", "99999999999", ""), r(P.SUBMIT_JOB_LOW_BG, "f", "", "")],
      ["w", canDo("f"), grab, sleep],
    ],
    ours: ["2 w: [JOB_ASSIGN H:2|f|]"],
  },
  {
    name: "an epoch job that waits, with round robin",
    options: { roundRobin: true },
    args: ["-R"],
    steps: [
      ["c", r(P.SUBMIT_JOB_EPOCH, "f", "", "99999999999", ""), submitBg("g", "")],
      ["w", canDo("g", "f"), grab],
    ],
    ours: ["2 w: [JOB_ASSIGN H:2|g|]"],
  },
  {
    name: "an epoch job that is due",
    steps: [
      ["w", canDo("f"), sleep],
      ["c", r(P.SUBMIT_JOB_EPOCH, "f", "", SOON, "")],
      ["w", grab, sleep],
      ["v", canDo("f")],
      ["v", UNTIL, grab, "JOB_ASSIGN"],
    ],
    ours: ["5 w: [NOOP]"],
  },
  {
    name: "PRE_SLEEP after a NOOP, without a GRAB_JOB between",
    steps: [
      ["w", canDo("f"), sleep],
      ["c", submitBg("f", "")],
      ["v", canDo("f"), grab],
      ["w", sleep],
      ["c", submitBg("f", "")],
    ],
    ours: ["5 w: [NOOP]"],
  },
  {
    name: "`--worker-wakeup`, and the woken worker leaves",
    options: { workerWakeup: 1 },
    args: ["--worker-wakeup=1"],
    steps: [
      ["w", canDo("f"), sleep],
      ["v", canDo("f"), sleep],
      ["c", submitBg("f", "")],
      ["w", null],
    ],
    ours: ["4 v: [NOOP]"],
  },
  {
    name: "`drop function` with queued jobs",
    steps: [["c", submitBg("f", ""), "drop function f\n", "status\n"]],
    ours: [
      "1 c: [JOB_CREATED H:1]ERR there are still connected workers or executing clients\\r\\nf\\t1\\t0\\t0\\n.\\n",
    ],
  },
  {
    name: "`drop function` of a name that exists in other cases too",
    steps: [["c", "create function f\r\n", "create function F\r\n", "drop function F\r\n", "status\n"]],
    ours: ["1 c: OK\\r\\nOK\\r\\nOK\\r\\nf\\t0\\t0\\t0\\n.\\n"],
  },
  {
    name: "a text line of 8,191 bytes, ended by CR LF",
    steps: [["c", `status ${"x".repeat(8_184)}\r\n`]],
    ours: ["1 c: .\\n"],
  },
  {
    name: "`create function` ended by a bare LF",
    steps: [["c", "create function abc\n", "status\n"]],
    ours: ["1 c: OK\\r\\nabc\\t0\\t0\\t0\\n.\\n"],
  },
  {
    name: "white space and control characters in names",
    steps: [["c", r(P.SET_CLIENT_ID, "a b\tc"), r(P.CAN_DO, "x\ny\tz"), "workers\nstatus\n"]],
    ours: ["1 c: FD IP - :\\nFD IP a_b_c : x_y_z\\n.\\nx_y_z\\t0\\t0\\t1\\n.\\n"],
  },
];
