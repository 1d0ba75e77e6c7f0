/** Exchanges in the text protocol that gearmand and JobServer answer alike. */

import { PacketType as P } from "../../src/codec/mod.ts";
import { canDo, grab, type Script, submit, submitBg } from "./script.ts";
import { request as r } from "./wire.ts";

export const textScripts: readonly Script[] = [
  {
    name: "maxqueue counts all jobs of the function, and lets further submissions join",
    steps: [
      ["c", "maxqueue f 1\n", submit("f", "1"), "maxqueue f 2\n", submit("f", "2"), submit("f", "3"), submit("f", "2")],
      [
        "c",
        "maxqueue f 3 2 1\n",
        submit("f", "4"),
        r(P.SUBMIT_JOB_HIGH, "f", "5", ""),
        r(P.SUBMIT_JOB_LOW, "f", "6", ""),
      ],
      ["c", "maxqueue f 4 4\n", r(P.SUBMIT_JOB_LOW, "f", "7", ""), submit("f", "8"), "status\n"],
      ["c", "maxqueue f -1\n", submit("f", "9"), "MAXQUEUE f 1\nmaxqueue f\n", submit("f", "10"), "maxqueue\n"],
      ["c", "maxqueue f 1x\n", submit("f", "11"), "maxqueue f x\n", submit("f", "12")],
      ["d", r(P.SUBMIT_JOB_EPOCH, "f", "e", "99999999999", ""), "prioritystatus\nstatus\n"],
    ],
  },
  {
    name: "client identifiers",
    steps: [
      ["c", r(P.SET_CLIENT_ID, "me"), "workers\n", r(P.SET_CLIENT_ID, "you\0tail"), "workers\n"],
      ["c", r(P.SET_CLIENT_ID, "x".repeat(200)), "workers\n"],
    ],
  },
  {
    name: "text: unknown commands",
    steps: [
      ["c", "shutdown\n", "\n", "\r\n", " status\n", "status \n", "STATUS x y\n", "jobs\r\n", "show\n", "cancel job\n"],
      [
        "c",
        "cancel\n",
        "help me\r\n",
        "version2\n",
        "a\tb\n",
        "status\tx\n",
        "  \n",
        "st\u00c3\u00a4tus\n",
        "gladiator a b c\n",
      ],
      ["c", "cancel job x y\ncancel x y\nstatus a b c d\nversion x\nverbose x\nprioritystatus x\nworkers x\n"],
    ],
  },
  {
    name: "text: six words close the connection",
    steps: [["c", "a b c d e\n"], ["c", "a b c d e f\n"], ["d", "status\n"]],
  },
  {
    name: "text: show, create, drop and cancel",
    steps: [
      ["c", "show x\n", "show jobs x\n", "show unique\n", "show unique x\n", "SHOW JOBS\n", "show unique jobs x\n"],
      [
        "c",
        "create\n",
        "create function\n",
        "create x f\n",
        "create function f\r\n",
        "create FUNCTION g\r\n",
        "status\n",
      ],
      [
        "c",
        "drop\n",
        "drop function\n",
        "drop x f\n",
        "drop function f g\n",
        "drop function nothing\n",
        "drop function G\n",
        "status\n",
      ],
      ["w", canDo("f")],
      ["c", "drop function f\n", "cancel job x\n", "cancel x y\n", "cancel job H:1\n"],
      ["c", submit("f", "1"), submit("f", "1"), submitBg("f", "2"), "cancel job H:1\nshow jobs\n"],
      ["c", "CANCEL JOB H:2\r\nshow jobs\nstatus\n", r(P.GET_STATUS, "H:1")],
      ["w", grab, "show jobs\nstatus\nprioritystatus\n"],
    ],
  },
  {
    name: "text and packets in one write are answered in their order",
    steps: [
      [
        "c",
        "version\n",
        r(P.ECHO_REQ, "1"),
        "verbose\r\ngetpid\n",
        submit("f", "1"),
        "status\n",
        r(P.GET_STATUS, "H:1"),
      ],
    ],
  },
  {
    name: "text: cancelling a queued job, for clients in the foreground and in the background",
    steps: [
      ["w", canDo("f")],
      ["c", submit("f", "1"), submitBg("f", "2"), submit("f", "2"), submit("f", "3")],
      ["d", submit("f", "1"), "cancel job H:1\r\n", "cancel job H:2\n", r(P.GET_STATUS, "H:1")],
      ["d", "show jobs\nstatus\n"],
      ["w", grab, grab, "show jobs\n"],
    ],
  },
  {
    name: "text: functions from a submission, a worker or a command stay listed",
    steps: [
      ["c", submitBg("f", "1"), "create function g\r\ncreate function g\r\n", r(P.GET_STATUS_UNIQUE, "1")],
      ["w", canDo("h", "f"), grab, r(P.WORK_COMPLETE, "H:1", ""), "status\nprioritystatus\n"],
      ["w", null],
      ["c", "status\nprioritystatus\ndrop function h\ndrop function F\nstatus\nshow unique jobs\n"],
    ],
  },
  {
    name: "text: show unique jobs",
    steps: [["c", submit("f", "unique"), "show unique jobs\nSHOW unique JOBS\r\n"], ["c", "show  unique   jobs  \n"]],
  },
  {
    name: "text: workers lists every connection, its newest function first",
    steps: [
      ["w", r(P.SET_CLIENT_ID, "worker-1"), canDo("f", "g", "h"), r(P.CANT_DO, "g"), "workers\n"],
      ["c", r(P.SET_CLIENT_ID, ""), submit("f", "1")],
      ["d", "workers\n"],
      ["w", r(P.RESET_ABILITIES), canDo("g")],
      ["d", "workers\n"],
    ],
  },
  {
    name: "text: a line is read up to its first NUL",
    steps: [["c", "ver\0sion\n", "version\0x\n", "version \0x\n", "\rversion\n", "version\r\r\n"]],
  },
  {
    name: "text: a line of 8,192 bytes closes the connection, and one of 8,191 does not",
    steps: [
      ["c", `${"x".repeat(8_191)}\n`],
      ["d", `${"x".repeat(8_192)}\n`],
      ["c", `status ${"x".repeat(8_183)}\r\n`, "workers\n"],
    ],
  },
  {
    name: "text: limits are cut to 32 bits",
    steps: [
      ["c", "create function f\r\n", "create function g\r\n", "maxqueue f 99999999999\n", "maxqueue g 4294967297\n"],
      ["c", submit("f", "1"), submit("g", "2"), submit("f", "3"), submit("g", "4"), "status\n"],
    ],
  },
  {
    name: "text: only letters of ASCII have another case, and a name ends at a NUL",
    steps: [
      ["c", "create function \u00c3\u00a4\r\n", "drop function \u00c3\u0084\r\n", "wor\u00e2\u0084\u00aaers\n"],
      ["c", "create function k\r\n", "drop function \u00e2\u0084\u00aa\r\n", "create function a\0b\r\n", "status\n"],
    ],
  },
];
