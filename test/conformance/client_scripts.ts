/** Exchanges of clients that gearmand and JobServer answer alike. */

import { PacketType as P } from "../../src/codec/mod.ts";
import { canDo, complete, grab, grabAll, type Script, sleep, type Step, submit, submitBg } from "./script.ts";
import { request as r } from "./wire.ts";

/** Every value of a byte, once. */
const BYTES = Uint8Array.from({ length: 256 }, (_, i) => i);

export const clientScripts: readonly Script[] = [
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
    name: "exceptions for all clients",
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
    name: "an abandoned foreground job is discarded when a worker looks for a job",
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
    name: "a running abandoned job can be joined again, and one that lost its worker is discarded",
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
    name: "the first submission of a unique decides on workload and priority",
    steps: [
      ["w", canDo("f")],
      ["c", r(P.SUBMIT_JOB_LOW, "f", "1", "low"), submit("f", "2", "normal"), r(P.SUBMIT_JOB_HIGH, "f", "1", "high")],
      ["d", r(P.SUBMIT_JOB_HIGH_BG, "f", "2", "high"), r(P.SUBMIT_JOB_HIGH_BG, "f", "3", "new")],
      ["c", "prioritystatus\n"],
      ["w", grab, grab, grab, grab],
    ],
  },
  {
    name: "a unique is free again when its job is complete, failed or discarded",
    steps: [
      ["w", canDo("f")],
      ["c", submit("f", "u"), submit("f", "-", "w")],
      ["w", grab, grab],
      ["w", complete("H:1", "one"), r(P.WORK_FAIL, "H:2")],
      ["c", submit("f", "u"), submit("f", "-", "w")],
      ["w", grab, grab],
      ["w", r(P.WORK_EXCEPTION, "H:3", "why"), complete("H:4")],
      ["d", submit("f", "u")],
      ["d", null],
      ["w", grab],
      ["c", submit("f", "u"), "show jobs\n"],
    ],
  },
  {
    name: "the unique of one function is not that of another",
    steps: [
      ["w", canDo("f", "g")],
      ["c", submit("f", "u", "1"), submit("g", "u", "2"), submit("f", "-", "3"), submit("g", "-", "3")],
      ["w", r(P.GRAB_JOB_UNIQ), r(P.GRAB_JOB_UNIQ), r(P.GRAB_JOB_UNIQ), r(P.GRAB_JOB_UNIQ), r(P.GRAB_JOB_UNIQ)],
    ],
  },
  {
    name: "a background submission receives nothing, and every connection may ask for the status",
    steps: [
      ["w", canDo("f")],
      ["c", submitBg("f", "u", "work"), submitBg("f", "u", "other"), r(P.GET_STATUS_UNIQUE, "u")],
      ["w", grab, r(P.WORK_DATA, "H:1", "x"), r(P.WORK_WARNING, "H:1", "x"), r(P.WORK_STATUS, "H:1", "3", "4")],
      ["d", r(P.GET_STATUS, "H:1"), r(P.GET_STATUS_UNIQUE, "u")],
      ["c", r(P.GET_STATUS, "H:1"), submit("f", "u"), r(P.GET_STATUS_UNIQUE, "u")],
      ["w", r(P.WORK_DATA, "H:1", "y"), complete("H:1", "z")],
      ["d", r(P.GET_STATUS, "H:1"), r(P.GET_STATUS_UNIQUE, "u")],
    ],
  },
  {
    name: "a client that joins a running job gets the packets that follow",
    steps: [
      ["w", canDo("f")],
      ["c", submit("f", "u")],
      ["w", grab, r(P.WORK_DATA, "H:1", "first"), r(P.WORK_STATUS, "H:1", "1", "2")],
      ["d", submit("f", "u"), r(P.GET_STATUS, "H:1")],
      ["w", r(P.WORK_DATA, "H:1", "second")],
      ["c", null],
      ["w", r(P.WORK_WARNING, "H:1", "third"), complete("H:1", "last")],
    ],
  },
  {
    name: "the option exceptions counts when the job fails, not when it is submitted",
    steps: [
      ["w", canDo("f")],
      ["c", submit("f", "1"), submit("f", "2")],
      ["w", grab, grab, r(P.WORK_EXCEPTION, "H:1", "why")],
      ["c", r(P.OPTION_REQ, "exceptions\0anything"), r(P.OPTION_REQ, "exceptions")],
      ["w", r(P.WORK_EXCEPTION, "H:2", "why")],
    ],
  },
  {
    name: "all 256 values of a byte, in both directions",
    steps: [
      ["w", canDo("f")],
      ["c", r(P.OPTION_REQ, "exceptions"), submit("f", "1", BYTES), submit("f", "2"), r(P.ECHO_REQ, BYTES)],
      ["w", grab, grab],
      ["w", r(P.WORK_DATA, "H:1", BYTES), r(P.WORK_WARNING, "H:1", BYTES), complete("H:1", BYTES)],
      ["w", r(P.WORK_EXCEPTION, "H:2", BYTES)],
    ],
  },
  {
    name: "many requests in one write are answered in their order",
    steps: [
      ["w", canDo("f"), sleep],
      [
        "c",
        ...Array.from({ length: 25 }, (_, i) => [
          r(P.ECHO_REQ, String(i)),
          submit("f", String(i % 7)),
          r(P.GET_STATUS, `H:${i % 9}`),
          r(P.SUBMIT_JOB_BG, "f", "x".repeat(65), ""),
          r(P.GET_STATUS_UNIQUE, String(i)),
          "version\n",
          r(P.OPTION_REQ, i % 2 === 0 ? "exceptions" : "other"),
          r(P.NO_JOB),
        ]).flat(),
      ],
      ["w", grab, grab, grab, r(P.WORK_DATA, "H:2", "x"), complete("H:3"), complete("H:1"), grab],
      ["c", "status\n", r(P.GET_STATUS, "H:2"), "show jobs\n"],
    ],
  },
  {
    name: "epochs from the minimum to the maximum of 64 bits",
    steps: [
      [
        "c",
        ...["+5", " 5", "0x99999999", "1e99", "9223372036854775807", "-9223372036854775808", "\x0b5"].map((epoch, i) =>
          r(P.SUBMIT_JOB_EPOCH, `e${i}`, "", epoch, "")
        ),
        "show jobs\n",
      ],
    ],
  },
  {
    name: "GET_STATUS_UNIQUE is about the newer job if two functions have the same unique",
    steps: [
      ["c", submit("f", "u"), submit("g", "u")],
      ["w", canDo("f"), grab],
      ["w", null],
      ["w", canDo("g"), grab],
      ["c", r(P.GET_STATUS_UNIQUE, "u")],
      ["w", complete("H:2")],
      ["c", r(P.GET_STATUS_UNIQUE, "u")],
    ],
  },
];
