/** Exchanges with malformed requests that gearmand and JobServer answer alike. */

import { PacketType as P } from "../../src/codec/mod.ts";
import { canDo, complete, grab, type Script, submit, UNTIL } from "./script.ts";
import { request as r } from "./wire.ts";

/** Makes a packet of any body; `length` is the length in its header. */
function request(type: P, body: string, length = body.length): string {
  return `\0REQ\0\0\0${String.fromCharCode(type)}\0\0${String.fromCharCode(length >> 8, length & 255)}${body}`;
}

export const malformedScripts: readonly Script[] = [
  {
    name: "responses and unsupported requests are refused, and the connection stays open",
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
    name: "a submission with too few arguments",
    steps: [["d", canDo("f")], ["c", request(P.SUBMIT_JOB, "f\0u")], ["d", grab, "workers\n"]],
  },
  {
    name: "a result without the NUL after its handle",
    steps: [["c", submit("f", "1")], ["w", canDo("f"), grab], ["w", request(P.WORK_COMPLETE, "H:1")], [
      "c",
      UNTIL,
      "show jobs\n",
      "H:1\t1",
    ]],
  },
  {
    name: "a reduce submission with the three arguments that PROTOCOL lists",
    steps: [["c", request(P.SUBMIT_REDUCE_JOB, "f\0u\0r\0w")], ["d", "status\n"]],
  },
  {
    name: "after a body that is cut short, the rest is read as text",
    steps: [["c", request(P.ECHO_REQ, "abc", 2), "\nversion\n"], [
      "d",
      request(P.SUBMIT_JOB, "f\0u\0workload", 8),
      "\n",
    ]],
  },
  {
    name: "the body of a packet without arguments is ignored",
    steps: [
      ["w", canDo("f"), request(P.GRAB_JOB, "body\0more"), request(P.PRE_SLEEP, "\0"), request(P.ALL_YOURS, "x")],
      ["c", submit("f", "1")],
      ["w", request(P.RESET_ABILITIES, "x"), request(P.GRAB_JOB_ALL, "\0\0\0"), "workers\n"],
    ],
  },
  {
    name: "a wrong magic that begins with a NUL, in the middle of a stream",
    steps: [["c", r(P.ECHO_REQ, "before")], ["c", "\0req\0\0\0\x10\0\0\0\0"], ["d", "workers\n"]],
  },
  {
    name: "responses of every shape, sent as requests by a worker that holds a job",
    steps: [
      ["c", submit("f", "1")],
      ["w", canDo("f"), grab],
      ["w", complete("H:1").replace("REQ", "RES"), r(P.GRAB_JOB).replace("REQ", "RES"), r(P.OPTION_RES, "exceptions")],
      ["w", r(P.STATUS_RES, "H:1", "1", "1", "1", "1"), r(P.STATUS_RES_UNIQUE, "u", "1", "1", "1", "1", "1")],
      ["w", r(P.JOB_ASSIGN, "H:1", "f", ""), r(P.JOB_ASSIGN_UNIQ, "H:1", "f", "u", ""), complete("H:1", "result")],
    ],
  },
  {
    name: "a text line of more than 8,192 bytes closes the connection",
    steps: [["c", "x".repeat(9_000)], ["d", "workers\n"]],
  },
  {
    name: "an argument that is not data has at most about 8,192 bytes, and a longer one closes the connection",
    steps: [
      ["c", r(P.CAN_DO, "x".repeat(8_190)), "version\n", request(P.SUBMIT_JOB, `${"x".repeat(8_190)}\0u\0w`)],
      ["d", r(P.CAN_DO, "x".repeat(8_193))],
      ["e", request(P.SUBMIT_JOB, `${"x".repeat(8_192)}\0u\0w`)],
      ["f", r(P.OPTION_REQ, "x".repeat(9_000))],
      ["g", r(P.SET_CLIENT_ID, "x".repeat(9_000))],
    ],
  },
];
