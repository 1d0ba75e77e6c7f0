/** Tests of announcements, without a server: what is sent when functions change, and what a change costs. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { packetName, type PacketType } from "../../src/codec/packet.ts";
import { Announcements, type Announcer, type WorkerFunction } from "../../src/worker/announcements.ts";

/** A worker's functions, and a connection that records what is sent on it. */
class FakeConnection implements Announcer {
  readonly functions = new Map<string, WorkerFunction>();
  readonly concurrency = 1;
  readonly sent: string[] = [];
  readonly held = new Set<string>();
  readonly announcements: Announcements = new Announcements(this, this);
  grabInFlight = false;
  takesTimeLimits = true;

  mayHoldJobOf(name: string): boolean {
    return this.grabInFlight || this.held.has(name);
  }

  send(type: PacketType, ...args: string[]): void {
    this.sent.push([packetName(type), ...args].join(" "));
  }

  add(name: string, timeout?: number): void {
    this.functions.set(name, { handler: () => {}, timeout });
    this.announcements.update(name);
  }

  remove(name: string): void {
    this.functions.delete(name);
    this.announcements.update(name);
  }

  /** Returns what was sent since the last call. */
  take(): string[] {
    return this.sent.splice(0);
  }
}

test("a change is announced at once if no job of the function is held or may arrive", () => {
  const connection = new FakeConnection();
  connection.add("f");
  connection.add("g", 500);
  assert.deepEqual(connection.take(), ["CAN_DO f", "CAN_DO_TIMEOUT g 1500"]);
  connection.add("f");
  assert.deepEqual(connection.take(), [], "another handler is no news for the server");
  connection.add("f", 500);
  connection.remove("g");
  connection.remove("never there");
  assert.deepEqual(connection.take(), ["CANT_DO f", "CAN_DO_TIMEOUT f 1500", "CANT_DO g"]);
  assert.equal(connection.announcements.isPostponed, false);
});

test("a withdrawal is postponed until no job of the function is held or may arrive, and can be taken back", () => {
  const connection = new FakeConnection();
  const { announcements } = connection;
  for (const name of ["f", "g", "h"]) connection.add(name);
  connection.take();
  connection.grabInFlight = true;
  connection.held.add("f");
  for (const name of ["f", "g", "h"]) connection.remove(name);
  assert.deepEqual([connection.take(), announcements.isPostponed], [[], true]);
  connection.add("h");
  connection.grabInFlight = false;
  announcements.noGrabInFlight();
  assert.deepEqual([connection.take(), announcements.isPostponed], [["CANT_DO g"], true]);
  assert.notEqual(announcements.find("f"), undefined, "its jobs still have its handler");
  connection.held.delete("f");
  announcements.jobEnded("h");
  assert.equal(announcements.isPostponed, true);
  announcements.jobEnded("f");
  assert.deepEqual([connection.take(), announcements.isPostponed], [["CANT_DO f"], false]);
  assert.equal(announcements.find("f"), undefined);
});

test("after RESET_ABILITIES all functions are announced again, and nothing is postponed", () => {
  const connection = new FakeConnection();
  connection.add("f");
  connection.add("g");
  connection.grabInFlight = true;
  connection.remove("f");
  connection.take();
  connection.announcements.announceAll();
  assert.deepEqual([connection.take(), connection.announcements.isPostponed], [["CAN_DO g"], false]);
  assert.equal(connection.announcements.find("f"), undefined, "it was removed");
  connection.add("f");
  assert.deepEqual(connection.take(), ["CAN_DO f"]);
});

test("each change looks at its own function alone, however many there are", () => {
  class CountingMap extends Map<string, WorkerFunction> {
    steps = 0;
    override get(name: string): WorkerFunction | undefined {
      this.steps += 1;
      return super.get(name);
    }
    override *[Symbol.iterator](): MapIterator<[string, WorkerFunction]> {
      for (const entry of super.entries()) {
        this.steps += 1;
        yield entry;
      }
    }
  }
  const steps = [1_000, 4_000].map((count) => {
    const connection = new FakeConnection();
    const functions = new CountingMap();
    Object.assign(connection, { functions });
    for (let i = 0; i < count; i++) connection.add(`f${i}`);
    connection.grabInFlight = true;
    for (let i = 0; i < count; i++) connection.remove(`f${i}`);
    connection.grabInFlight = false;
    connection.announcements.noGrabInFlight();
    assert.equal(connection.sent.length, 2 * count);
    return functions.steps;
  });
  assert.equal(steps[1], 4 * steps[0]!);
});
