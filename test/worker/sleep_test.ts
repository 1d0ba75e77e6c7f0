/** Tests of when a worker sleeps at a server, without a server. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { packetName, type PacketType } from "../../src/codec/packet.ts";
import { Sleep, type Sleeper } from "../../src/worker/sleep.ts";
import { fakeTimers } from "../support/fake_timers.ts";

/** A connection that records what is sent on it. */
class FakeSleeper implements Sleeper {
  readonly sent: string[] = [];
  grabsInFlight = 0;

  send(type: PacketType): void {
    this.sent.push(packetName(type));
  }

  announceAll(): void {
    this.sent.push("announcements");
  }
}

function start(): { connection: FakeSleeper; sleep: Sleep } {
  const connection = new FakeSleeper();
  return { connection, sleep: new Sleep(connection) };
}

test("a worker sleeps when the server has no job, once, until NOOP wakes it", () => {
  const { connection, sleep } = start();
  sleep.sleepIfIdle();
  assert.deepEqual(connection.sent, [], "the server has said nothing yet");
  sleep.noJob();
  assert.equal(sleep.serverIsEmpty, true);
  sleep.sleepIfIdle();
  sleep.sleepIfIdle();
  assert.deepEqual(connection.sent, ["PRE_SLEEP"]);
  assert.equal(sleep.noop(), true);
  assert.equal(sleep.serverIsEmpty, false);
  assert.equal(sleep.noop(), false, "it is awake");
});

test("a worker does not sleep while a grab is in flight", () => {
  const { connection, sleep } = start();
  sleep.noJob();
  connection.grabsInFlight = 1;
  sleep.sleepIfIdle();
  assert.deepEqual(connection.sent, []);
  connection.grabsInFlight = 0;
  sleep.sleepIfIdle();
  assert.deepEqual(connection.sent, ["PRE_SLEEP"]);
});

test("a grab ends the sleep", () => {
  const { connection, sleep } = start();
  sleep.noJob();
  sleep.sleepIfIdle();
  sleep.grabSent();
  assert.equal(sleep.noop(), false);
  sleep.sleepIfIdle();
  assert.deepEqual(connection.sent, ["PRE_SLEEP", "PRE_SLEEP"]);
});

test("a connection whose job has ended sleeps if its slot is used elsewhere", () => {
  const { connection, sleep } = start();
  sleep.jobAssigned({ timed: false });
  sleep.jobEnded();
  sleep.sleepIfIdle();
  assert.deepEqual(connection.sent, ["PRE_SLEEP"]);
  sleep.noop();
  sleep.sleepIfIdle();
  assert.deepEqual(connection.sent, ["PRE_SLEEP"], "the end of one job counts once");
});

test("the time limit of an ended job is removed before the worker sleeps, but not by a grab", () => {
  for (const grabs of [false, true]) {
    const { connection, sleep } = start();
    sleep.jobAssigned({ timed: true });
    sleep.jobEnded();
    if (grabs) {
      sleep.grabSent();
      sleep.noJob();
    }
    sleep.sleepIfIdle();
    const expected = grabs ? [] : ["RESET_ABILITIES", "PRE_SLEEP", "announcements"];
    assert.deepEqual(connection.sent, [...expected, "PRE_SLEEP"]);
  }
});

test("announcements, the end of a job and a probe make a server worth a grab again", () => {
  const { sleep } = start();
  for (const event of ["announced", "jobEnded", "probed"] as const) {
    sleep.noJob();
    assert.equal(sleep.serverIsEmpty, true);
    sleep[event]();
    assert.equal(sleep.serverIsEmpty, false, event);
  }
});

test("a poll sends PRE_SLEEP again while the worker sleeps, and only then", () => {
  const { connection, sleep } = start();
  sleep.poll();
  sleep.noJob();
  sleep.poll();
  assert.deepEqual(connection.sent, []);
  sleep.sleepIfIdle();
  sleep.poll();
  assert.deepEqual(connection.sent, ["PRE_SLEEP", "PRE_SLEEP"]);
  assert.equal(sleep.noop(), true);
  sleep.poll();
  assert.equal(connection.sent.length, 2);
});

test("after false alarms sleep is delayed, and a grab, a job or the end of the connection cancels the delay", () => {
  using timers = fakeTimers(16);
  const { connection, sleep } = start();
  const sleepAndWake = () => {
    sleep.noJob();
    sleep.sleepIfIdle();
    return sleep.noop();
  };
  const alarm = () => {
    for (let i = 0; i < 4; i++) assert.equal(sleepAndWake(), true);
    assert.equal(sleepAndWake(), false, "its sleep is delayed");
    assert.equal(timers.active, 1);
  };
  alarm();
  timers.fire();
  assert.equal(connection.sent.length, 5);
  sleep.jobAssigned({ timed: false });
  sleep.grabSent();
  alarm();
  sleep.grabSent();
  assert.equal(timers.active, 0);
  sleep.jobAssigned({ timed: false });
  alarm();
  sleep.stop();
  assert.equal(timers.active, 0);
});
