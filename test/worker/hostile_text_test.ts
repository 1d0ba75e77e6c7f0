// deno-lint-ignore-file no-console -- reads what is written there
/** Tests of text that commands terminals or reorders what is around it: no message of a worker holds it as it came in. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { GearmanError, GearmanWorker, ServerError } from "../../mod.ts";
import type { AssignedJob, GearmanEvent } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { text } from "../support/bytes.ts";
import { FakeServer } from "../support/fake_server.ts";
import { until } from "../support/wait.ts";
import { startWorker } from "../support/workers.ts";

const timeout = 30_000;
/** ESC, C1 controls, separators of lines and paragraphs, controls of the writing direction, and DEL. */
const HOSTILE = ["\u001b[2J", "\u009b31m", "\u0085", "\u2028", "\u2029", "\u202e", "\u2066", "\u007f", "\r", "\b"];
const UNPRINTABLE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u;

/** Returns the messages of an error and of its causes. */
function messagesOf(error: unknown): string[] {
  return error instanceof Error ? [error.message, ...messagesOf(error.cause)] : [];
}

/** Asserts that messages are there, and are fit for a terminal. */
function assertClean(messages: readonly string[]): void {
  assert.ok(messages.length > 0);
  for (const message of messages) {
    assert.doesNotMatch(message, UNPRINTABLE, JSON.stringify(message));
    assert.ok(message.length < 1_000, `it has ${message.length} characters`);
  }
}

/** Assigns jobs with hostile names, one for each grab, and then answers a grab with ERROR. */
function hostileServer(word: string): FakeServer {
  const handle = (name: string) => `H:${word}:${name}`;
  const jobs: [handle: string, functionName: string, unique: string, workload: string][] = [
    [handle("unknown"), `unknown${word}`, word, word],
    [handle("json"), `json${word}`, word, `{${word}`],
    [handle("stuck"), `stuck${word}`, word, word],
    [handle("large"), `json${word}`, word, "x".repeat(20_000)],
    [handle("held"), `held${word}`, word, word],
    [handle("long".repeat(100)), `unknown${word.repeat(300)}`, word, word],
  ];
  let errors = 0;
  return new FakeServer(({ type, args }, peer) => {
    if (type === PacketType.ECHO_REQ) return peer.answer(PacketType.ECHO_RES, args[0]!);
    if (type !== PacketType.GRAB_JOB_ALL) return;
    const job = jobs.shift();
    if (job !== undefined) return peer.answer(PacketType.JOB_ASSIGN_UNIQ, ...job);
    peer.answer(PacketType.NO_JOB);
    errors += 1;
    if (errors === 1) peer.answer(PacketType.ERROR, `CODE${word}`, `text${word}`.repeat(200));
  });
}

test("no error and no event of a worker holds unprintable text of a server in a message", { timeout }, async () => {
  for (const word of HOSTILE) {
    const server = hostileServer(word);
    const events: GearmanEvent[] = [];
    let held: AssignedJob | undefined;
    const worker = startWorker({
      dial: server.dial,
      concurrency: 4,
      maxPacketSize: 10_000,
      onEvent: (event) => events.push(event),
    }, {
      [`json${word}`]: (job) => void job.json(),
      [`held${word}`]: (job) => {
        held = job;
        return new Promise(() => {});
      },
    });
    worker.addFunction(`stuck${word}`, () => new Promise(() => {}), { timeout: 10 });
    const errors = () => events.flatMap((event) => "error" in event ? [event.error] : []);
    await until(() => errors().length === 6 && held !== undefined);
    await server.peer.end();
    await until(() => events.some(({ type }) => type === "disconnected"));
    await until(() => held!.signal.aborted);
    await worker.close();

    assert.ok(errors().some((error) => error instanceof ServerError));
    const exceptions = server.peers[0]!.requests.filter(({ type }) => type === PacketType.WORK_EXCEPTION);
    assert.equal(exceptions.length, 5);
    assertClean(errors().flatMap(messagesOf));
    assertClean(exceptions.map(({ args }) => text(args[1]!)));
    assertClean(messagesOf(held!.signal.reason));
    assert.equal(held!.handle, `H:${word}:held`, "a program gets the text as it came in");
  }
});

test("no line that a worker writes holds unprintable text", { timeout }, async () => {
  const { error } = console;
  const lines: string[] = [];
  console.error = (line: string) => void lines.push(line);
  try {
    for (const word of HOSTILE) {
      const server = hostileServer(word);
      const worker = new GearmanWorker({ dial: server.dial, drainTimeout: 0, concurrency: 4 });
      worker.addFunction(`held${word}`, () => Promise.reject(new GearmanError(`failed${word}`.repeat(300))));
      worker.addFunction(`json${word}`, (job) => void job.json());
      worker.addFunction(`stuck${word}`, () => {
        throw Object.assign(new Error(word), { name: `Name${word}` });
      });
      worker.run();
      const before = lines.length;
      await until(() => lines.length >= before + 7);
      await worker.close();
    }
  } finally {
    console.error = error;
  }
  assertClean(lines);
});
