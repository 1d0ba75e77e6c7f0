/** Tests of which submission receives which copy of a packet: in the table itself, and on every job server. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { GearmanClient, GearmanError, type JobEvent } from "../../mod.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { type JobSubscriber, RunningJobs } from "../../src/client/running_jobs.ts";
import { needs } from "../support/requirements.ts";
import { startGearmand } from "../support/gearmand.ts";
import { textCommand } from "../support/server_commands.ts";
import { RawWorker } from "../support/raw_worker.ts";
import { until } from "../support/wait.ts";
import { describeEvents } from "../support/job_events.ts";
import { onEveryServer, type TestServer, withClient } from "../support/servers.ts";

const timeout = 60_000;

/** A subscriber that remembers what it received, until it is settled. */
class Listener implements JobSubscriber {
  readonly received: string[] = [];
  settled = false;
  onEvent(event: JobEvent): void {
    this.#receive(event.type);
  }
  onFailed(): void {
    this.#receive("failed");
  }
  onOversized(): void {
    this.#receive("oversized");
  }
  onGone(error: GearmanError, server: string): void {
    this.#receive(`gone: ${error.message}, ${server}`);
  }
  #receive(what: string): void {
    if (!this.settled) this.received.push(what);
  }
}

describe("a table of running jobs", () => {
  test("knows no receiver of a handle without a subscriber", () => {
    const jobs = new RunningJobs();
    assert.equal(jobs.nextReceiver("H:1"), undefined);
    assert.equal(jobs.lastReceiver("H:1"), undefined);
    jobs.vanish("H:1", new GearmanError("unknown"), "a:1");
    assert.deepEqual([jobs.size, jobs.nextHandles(5)], [0, []]);
  });

  test("gives every packet of a handle to its subscriber, and forgets it with the final one", () => {
    const jobs = new RunningJobs();
    const [one, other] = [new Listener(), new Listener()];
    jobs.subscribe("H:1", one);
    jobs.subscribe("H:2", other);
    for (let i = 0; i < 3; i++) assert.equal(jobs.nextReceiver("H:1"), one);
    assert.equal(jobs.size, 2);
    assert.equal(jobs.lastReceiver("H:1"), one);
    assert.equal(jobs.nextReceiver("H:1"), undefined);
    assert.equal(jobs.size, 1);
    assert.equal(jobs.nextReceiver("H:2"), other);
  });

  test("gives each subscriber of a handle one copy of every packet, whatever is subscribed or abandoned between packets", () => {
    const step = fc.oneof(
      fc.constant({ do: "send" } as const),
      fc.constant({ do: "subscribe" } as const),
      fc.record({ do: fc.constant("abandon" as const), which: fc.nat(9) }),
    );
    fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const jobs = new RunningJobs();
      const all: Listener[] = [];
      const present = new Set<Listener>();
      const expected = new Map<Listener, number>();
      const subscribe = () => {
        const listener = new Listener();
        all.push(listener);
        present.add(listener);
        expected.set(listener, 0);
        jobs.subscribe("H:1", listener);
      };
      subscribe();
      /** The server sends a copy for each submission, abandoned or not. */
      const send = (receive: () => JobSubscriber | undefined) => {
        const receivers = all.map(receive);
        assert.equal(receivers.filter((receiver) => receiver!.settled).length, all.length - present.size);
        for (const receiver of receivers) receiver?.onEvent({ type: "data", data: new Uint8Array(0) });
        for (const listener of present) expected.set(listener, expected.get(listener)! + 1);
      };
      for (const step of steps) {
        if (step.do === "send") send(() => jobs.nextReceiver("H:1"));
        else if (step.do === "subscribe") subscribe();
        else {
          const listener = all[step.which % all.length]!;
          present.delete(listener);
          listener.settled = true;
        }
      }
      send(() => jobs.lastReceiver("H:1"));
      for (const listener of all) assert.equal(listener.received.length, expected.get(listener));
      assert.equal(jobs.size, 0);
    }));
  });

  test("hands out the copies in the order of the submissions", () => {
    const jobs = new RunningJobs();
    const listeners = [new Listener(), new Listener(), new Listener()];
    for (const listener of listeners) jobs.subscribe("H:1", listener);
    const receivers = (receive: () => unknown) => [1, 2, 3].map(receive);
    assert.deepEqual(receivers(() => listeners.indexOf(jobs.nextReceiver("H:1") as Listener)), [0, 1, 2]);
    assert.deepEqual(receivers(() => listeners.indexOf(jobs.lastReceiver("H:1") as Listener)), [0, 1, 2]);
  });

  test("gives the copies of an abandoned submission to it, which ignores them, however many there are", () => {
    const jobs = new RunningJobs();
    const count = 40_000;
    const listeners = Array.from({ length: count }, () => new Listener());
    for (const listener of listeners) jobs.subscribe("H:1", listener);
    for (let i = 0; i < count; i += 2) listeners[i]!.settled = true;
    for (let i = 0; i < count; i++) jobs.nextReceiver("H:1")!.onEvent({ type: "data", data: new Uint8Array(0) });
    for (let i = 0; i < count; i++) jobs.lastReceiver("H:1")!.onFailed(undefined);
    assert.ok(listeners.every(({ received }, i) => received.length === (i % 2 === 0 ? 0 : 2)));
    assert.equal(jobs.size, 0);
  });

  test("returns the handles in turn, at most as many as asked for", () => {
    const jobs = new RunningJobs();
    for (let i = 1; i <= 5; i++) jobs.subscribe(`H:${i}`, new Listener());
    assert.deepEqual(jobs.nextHandles(0), []);
    assert.deepEqual(jobs.nextHandles(2), ["H:1", "H:2"]);
    assert.deepEqual(jobs.nextHandles(2), ["H:3", "H:4"]);
    jobs.subscribe("H:6", new Listener());
    assert.deepEqual(jobs.nextHandles(4), ["H:5", "H:1", "H:2", "H:3"]);
    assert.deepEqual(jobs.nextHandles(100), ["H:4", "H:6", "H:5", "H:1", "H:2", "H:3"]);
    assert.equal(jobs.size, 6);
  });

  test("does not return the handle of a job that all its subscribers have abandoned", () => {
    const jobs = new RunningJobs();
    const [one, two, other] = [new Listener(), new Listener(), new Listener()];
    jobs.subscribe("H:1", one);
    jobs.subscribe("H:1", two);
    jobs.subscribe("H:2", other);
    one.settled = true;
    assert.deepEqual(jobs.nextHandles(1), ["H:1"]);
    two.settled = true;
    assert.deepEqual(jobs.nextHandles(5), ["H:2"]);
    jobs.subscribe("H:1", new Listener());
    assert.deepEqual(jobs.nextHandles(5), ["H:1", "H:2"]);
  });

  test("ends a job that vanished for each of its subscribers, and no other job", () => {
    const jobs = new RunningJobs();
    const [one, two, abandoned, other] = [new Listener(), new Listener(), new Listener(), new Listener()];
    for (const listener of [one, two, abandoned]) jobs.subscribe("H:1", listener);
    jobs.subscribe("H:2", other);
    abandoned.settled = true;
    jobs.vanish("H:1", new GearmanError("not known"), "a:1");
    assert.deepEqual([one.received, two.received], [["gone: not known, a:1"], ["gone: not known, a:1"]]);
    assert.deepEqual([abandoned.received, other.received], [[], []]);
    assert.equal(jobs.size, 1);
    assert.equal(jobs.nextReceiver("H:1"), undefined);
  });

  test("ends every job when the connection is lost", () => {
    const jobs = new RunningJobs();
    const listeners = [new Listener(), new Listener(), new Listener()];
    const [one, two, abandoned] = listeners as [Listener, Listener, Listener];
    jobs.subscribe("H:1", one);
    jobs.subscribe("H:2", two);
    jobs.subscribe("H:2", abandoned);
    abandoned.settled = true;
    jobs.vanishAll(new GearmanError("lost"), "a:1");
    assert.deepEqual(listeners.map(({ received }) => received), [["gone: lost, a:1"], ["gone: lost, a:1"], []]);
    assert.equal(jobs.size, 0);
  });

  test("forgets a job before it notifies the subscribers, so that they may use the table", () => {
    const jobs = new RunningJobs();
    const sizes: number[] = [];
    const reentrant = (): JobSubscriber =>
      Object.assign(new Listener(), {
        onGone() {
          sizes.push(jobs.size);
          jobs.subscribe("H:new", new Listener());
        },
      });
    jobs.subscribe("H:1", reentrant());
    jobs.vanish("H:1", new GearmanError("not known"), "a:1");
    assert.deepEqual(jobs.nextHandles(5), ["H:new"]);
    jobs.subscribe("H:2", reentrant());
    jobs.vanishAll(new GearmanError("lost"), "a:1");
    assert.deepEqual(jobs.nextHandles(5), ["H:new"]);
    assert.deepEqual(sizes, [0, 0]);
  });
});

onEveryServer("jobs that share a unique", (kind) => {
  let server: TestServer;
  let client: GearmanClient;
  withClient(kind, (...given) => [server, client] = given);

  test("two jobs with the same unique on one connection each receive every packet once", { timeout }, async () => {
    const worker = await RawWorker.open(server, "twice");
    const [complete, fail, exception] = ["complete", "fail", "exception"].map((unique) => {
      const jobs = [client.do("twice", "", { unique }), client.do("twice", "", { unique })];
      return { jobs, words: jobs.map(describeEvents) };
    });
    for (const { jobs } of [complete!, fail!, exception!]) {
      const [a, b] = await Promise.all(jobs.map((job) => job.created()));
      assert.equal(a, b);
      const { handle } = await worker.grab();
      assert.equal(handle, a);
      worker.send(PacketType.WORK_DATA, handle, "1");
      worker.send(PacketType.WORK_STATUS, handle, "1", "2");
      worker.send(PacketType.WORK_WARNING, handle, "2");
      worker.send(PacketType.WORK_DATA, handle, "3");
    }
    worker.send(PacketType.WORK_COMPLETE, complete!.jobs[0]!.handle!, "4");
    worker.send(PacketType.WORK_FAIL, fail!.jobs[0]!.handle!);
    worker.send(PacketType.WORK_EXCEPTION, exception!.jobs[0]!.handle!, "4");
    const events = ["created", "data 1", "status", "warning 2", "data 3"];
    for (const words of complete!.words) assert.deepEqual(await words, [...events, "complete 4"]);
    for (const words of [...fail!.words, ...exception!.words]) {
      assert.deepEqual(await words, [...events, "JobFailedError"]);
    }
    await worker.close();
  });

  test(
    "of two jobs with the same unique one is abandoned, and the other receives every packet once",
    { timeout },
    async () => {
      const worker = await RawWorker.open(server, "left");
      for (const abandonedIndex of [0, 1]) {
        const controller = new AbortController();
        const options = (i: number) =>
          i === abandonedIndex ? { unique: "u", signal: controller.signal } : { unique: "u" };
        const jobs = [client.do("left", "", options(0)), client.do("left", "", options(1))];
        const abandoned = describeEvents(jobs[abandonedIndex]!);
        const kept = describeEvents(jobs[1 - abandonedIndex]!);
        await Promise.all(jobs.map((job) => job.created()));
        const { handle } = await worker.grab();
        worker.send(PacketType.WORK_DATA, handle, "1");
        await worker.connection.flush();
        await client.echo("");
        controller.abort(new Error("enough"));
        worker.send(PacketType.WORK_DATA, handle, "2");
        worker.send(PacketType.WORK_COMPLETE, handle, "3");
        assert.deepEqual(await kept, ["created", "data 1", "data 2", "complete 3"]);
        assert.equal((await abandoned).at(-1), "Error");
      }
      // Afterwards the same unique is a new job.
      const again = client.do("left", "", { unique: "u" });
      await again.created();
      await worker.serve(1, () => "again");
      assert.equal(await again.text(), "again");
      await worker.close();
    },
  );

  test(
    "a job that joins a running one receives the packets that follow, from any client",
    { timeout },
    async () => {
      const worker = await RawWorker.open(server, "join");
      await using other = new GearmanClient(server.connect);
      const first = client.do("join", "", { unique: "u" });
      await first.created();
      const { handle } = await worker.grab();
      const firstWords = describeEvents(first);
      worker.send(PacketType.WORK_DATA, handle, "1");
      await worker.connection.flush();
      worker.send(PacketType.ECHO_REQ, "");
      assert.equal((await worker.next()).type, PacketType.ECHO_RES);
      const joining = [client.do("join", "ignored", { unique: "u" }), other.do("join", "ignored", { unique: "u" })];
      const words = joining.map(describeEvents);
      for (const job of joining) assert.equal(await job.created(), handle);
      worker.send(PacketType.WORK_DATA, handle, "2");
      worker.send(PacketType.WORK_COMPLETE, handle, "3");
      assert.deepEqual(await firstWords, ["created", "data 1", "data 2", "complete 3"]);
      for (const one of words) assert.deepEqual(await one, ["created", "data 2", "complete 3"]);
      await worker.close();
    },
  );

  test("a job that was abandoned, and submitted again while it runs, receives every packet once", {
    timeout,
  }, async () => {
    const worker = await RawWorker.open(server, "again");
    for (const outcome of ["complete", "fail", "exception"]) {
      for (const abandoned of [1, 2, 3]) {
        const submit = () => client.do("again", "", { unique: outcome });
        const handles: string[] = [];
        for (let i = 0; i < abandoned; i++) {
          const job = submit();
          handles.push(await job.created());
          if (i === 0) {
            assert.equal((await worker.grab()).handle, handles[0]);
            worker.send(PacketType.WORK_DATA, handles[0]!, "too early");
            await worker.served();
          }
          for await (const _ of job) break;
        }
        const again = submit();
        const words = describeEvents(again);
        handles.push(await again.created());
        assert.equal(new Set(handles).size, 1, "it is the same job");
        const [handle] = handles as [string];
        worker.send(PacketType.WORK_DATA, handle, "1");
        worker.send(PacketType.WORK_STATUS, handle, "1", "2");
        worker.send(PacketType.WORK_WARNING, handle, "2");
        worker.send(PacketType.WORK_DATA, handle, "3");
        if (outcome === "complete") worker.send(PacketType.WORK_COMPLETE, handle, "4");
        else if (outcome === "fail") worker.send(PacketType.WORK_FAIL, handle);
        else worker.send(PacketType.WORK_EXCEPTION, handle, "4");
        const end = outcome === "complete" ? "complete 4" : "JobFailedError";
        assert.deepEqual(
          await words,
          ["created", "data 1", "status", "warning 2", "data 3", end],
          `${outcome}, abandoned ${abandoned} times`,
        );
      }
    }
    // Afterwards the same unique is a new job.
    const next = client.do("again", "", { unique: "complete" });
    await next.created();
    await worker.serve(1, () => "a new job");
    assert.equal(await next.text(), "a new job");
    await worker.close();
  });
});

test("a job that was abandoned, joined again and discarded by gearmand is ended by a probe", {
  skip: needs("gearmand"),
  timeout,
}, async () => {
  const { port, stop } = await startGearmand();
  const server: TestServer = { connect: { servers: `127.0.0.1:${port}` }, port, stop };
  try {
    const first = new GearmanClient(server.connect);
    const handle = await first.do("f", "", { unique: "u" }).created();
    await first.close();
    await using second = new GearmanClient({ ...server.connect, probeInterval: 100 });
    await until(async () =>
      (await textCommand(server, "show jobs", { list: true })).some((line) => line.split("\t")[2] === "1")
    );
    const job = second.do("f", "", { unique: "u" });
    const result = job.bytes();
    assert.equal(await job.created(), handle);
    const worker = await RawWorker.open(server, "f");
    assert.equal(await worker.tryGrab(), undefined);
    await assert.rejects(result, { name: "ConnectionError", delivery: "accepted", handle, unique: "u" });
    await worker.close();
  } finally {
    await stop();
  }
});
