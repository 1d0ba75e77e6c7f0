/** Tests of typed functions on the client's side: what is sent, when, and what comes back. */

import assert from "node:assert/strict";
import process from "node:process";
import { describe, test } from "node:test";
import { z } from "zod";
import {
  bytesSerializer,
  ConnectionError,
  defineFunction,
  GearmanClient,
  GearmanError,
  GearmanWorker,
  type Job,
  type JobEvent,
  JobFailedError,
  type Schema,
  type Serializer,
  ValidationError,
} from "../../mod.ts";
import { ForegroundJob } from "../../src/client/foreground_job.ts";
import { LaggingJobs } from "../../src/client/lagging_jobs.ts";
import { foregroundPacket } from "../../src/client/submission_packet.ts";
import { PacketType } from "../../src/codec/mod.ts";
import { deferred } from "../../src/internal/promises.ts";
import { pattern, text, toHex, utf8 } from "../support/bytes.ts";
import { answerEverything, FakeServer, isSubmission, makeClient, submittedWorkloads } from "../support/fake_server.ts";
import { refusing, schemaOf } from "../support/schemas.ts";
import { onEveryServer, type TestServer, withClient } from "../support/servers.ts";
import { turns, until } from "../support/wait.ts";

const timeout = 30_000;
/** A value that the types do not allow. */
type Any = never;

const resize = defineFunction("resize", {
  input: z.object({ name: z.string(), width: z.number().default(100) }),
  output: z.object({ url: z.string() }),
});
const cleanUp = defineFunction<{ olderThan: number }>("clean-up");
const ping = defineFunction("ping");
const INVALID = {
  name: "ValidationError",
  message: 'The input of "resize" is invalid: name: Invalid input: expected string, received number',
  functionName: "resize",
  part: "input",
};

/** A schema whose checks wait until the test decides. */
class SlowChecks {
  readonly checks: { readonly value: unknown; pass(): void; refuse(): void; readonly done: Promise<unknown> }[] = [];
  readonly schema: Schema<string> = schemaOf((value) => {
    const { promise, resolve } = deferred<{ value: string } | { issues: { message: string }[] }>();
    const pass = () => resolve({ value: value as string });
    this.checks.push({ value, pass, refuse: () => resolve({ issues: [{ message: "refused" }] }), done: promise });
    return promise;
  });
}

/** Records unhandled rejections while the action runs, and some turns longer. */
async function unhandledOf(action: () => Promise<void>): Promise<unknown[]> {
  const unhandled: unknown[] = [];
  const listener = (reason: unknown) => void unhandled.push(reason);
  process.on("unhandledRejection", listener);
  try {
    await action();
    await turns(10);
  } finally {
    process.removeListener("unhandledRejection", listener);
  }
  return unhandled;
}

onEveryServer("a typed function", (kind) => {
  let server: TestServer;
  let client: GearmanClient;
  withClient(kind, (...given) => [server, client] = given);

  function start(add: (worker: GearmanWorker) => void): GearmanWorker {
    const worker = new GearmanWorker({ ...server.connect, drainTimeout: 1_000, onEvent: () => {} });
    add(worker);
    worker.run();
    return worker;
  }

  test("takes an input and gives an output, and reports its progress", { timeout }, async () => {
    await using _worker = start((worker) =>
      worker.addFunction(resize, async ({ name, width }, job) => {
        await job.sendStatus(1, 2);
        await job.sendStatus(2, 2);
        return { url: `/${width}/${name}` };
      })
    );
    const seen: string[] = [];
    const onStatus = (status: { numerator: number; denominator: number }) => {
      seen.push(`${status.numerator}/${status.denominator}`);
    };
    const { url } = await client.do(resize, { name: "cat.png" }, { onStatus });
    assert.equal(url, "/100/cat.png");
    assert.deepEqual(seen, ["1/2", "2/2"]);
    assert.deepEqual(await client.do(resize, { name: "cat.png", width: 5 }).result(), { url: "/5/cat.png" });
  });

  test("has neither input nor output if it is defined so", { timeout }, async () => {
    const seen: unknown[] = [];
    await using _worker = start((worker) => worker.addFunction(ping, (input) => void seen.push(input)));
    assert.equal(await client.do(ping), undefined);
    assert.equal(toHex(await client.do(ping, undefined, { priority: "high" }).bytes()), "");
    assert.deepEqual(seen, [undefined, undefined]);
  });

  test("runs in the background, one job or many, in the order of the inputs", { timeout }, async () => {
    const seen: number[] = [];
    const voids = deferred<void>();
    const later = defineFunction("later", {
      input: z.object({ n: z.number() }).refine(async ({ n }) => {
        await turns(n % 3);
        return true;
      }),
    });
    await client.doBackground(cleanUp, { olderThan: 30 }, { unique: "clean-up" });
    await client.doBackground(ping);
    const uniques: string[] = [];
    for await (
      const job of client.doBackgroundAll(later, Array.from({ length: 20 }, (_, n) => ({ n })), {
        unique: ({ n }, index) => `u${n}-${index}`,
      })
    ) uniques.push(job.unique);
    assert.deepEqual(uniques, Array.from({ length: 20 }, (_, n) => `u${n}-${n}`));
    await using _worker = start((worker) =>
      worker.addFunction(later, ({ n }) => void seen.push(n))
        .addFunction(ping, () => voids.resolve())
        .addFunction(cleanUp, ({ olderThan }) => void seen.push(-olderThan))
    );
    await voids.promise;
    await until(() => seen.length === 21);
    assert.deepEqual(seen.filter((n) => n >= 0), Array.from({ length: 20 }, (_, n) => n));
    assert.ok(seen.includes(-30));
  });

  test("rejects with a ValidationError if the output is wrong", { timeout }, async () => {
    await using _worker = start((worker) => {
      worker.addFunction("resize", (job) => job.text());
      return worker;
    });
    const raw = defineFunction("resize", {
      output: z.object({ url: z.string() }),
      input: z.string(),
      serializer: { input: { encode: String, decode: text }, output: { encode: JSON.stringify, decode: parse } },
    });
    assert.deepEqual(await client.do(raw, '{"url":"/x"}'), { url: "/x" });
    await assert.rejects(client.do(raw, "{}").result(), {
      name: "ValidationError",
      part: "output",
      message: 'The output of "resize" is invalid: url: Invalid input: expected string, received undefined',
    });
    await assert.rejects(async () => await client.do(raw, "ok"), (error) => {
      assert.ok(error instanceof ValidationError);
      assert.equal(error.part, "output");
      assert.ok(error.cause instanceof SyntaxError);
      return true;
    });
  });

  test("decodes all data and the result joined; other consumers and events stay raw", { timeout }, async () => {
    await using _worker = start((worker) =>
      worker.addFunction("resize", async function* () {
        yield '{"url"';
        yield ':"/x';
        return '"}';
      })
    );
    const submit = () => client.do(resize, { name: "x" });
    assert.deepEqual(await submit(), { url: "/x" });
    assert.equal(await submit().text(), '{"url":"/x"}');
    assert.equal(text(await submit().bytes()), '{"url":"/x"}');
    assert.deepEqual(await submit().json(), { url: "/x" });
    assert.equal(await new Response(submit().stream()).text(), '{"url":"/x"}');
    const pieces: Uint8Array[] = [];
    for await (const event of submit()) if ("data" in event) pieces.push(event.data);
    assert.deepEqual(pieces.map(text), ['{"url"', ':"/x', '"}']);
    assert.throws(() => resize.output.decode(pieces[0]!), { name: "ValidationError" });
  });

  test("has one consumer, and result() is one", { timeout }, async () => {
    await using _worker = start((worker) => worker.addFunction(resize, () => ({ url: "/x" })));
    const job = client.do(resize, { name: "x" });
    assert.deepEqual(await job.result(), { url: "/x" });
    await assert.rejects(job.result(), { name: "TypeError", message: /a second time/ });
    await assert.rejects(job.bytes(), { name: "TypeError", message: /a second time/ });
  });

  test("that is named by a string gives its bytes as the result", { timeout }, async () => {
    await using _worker = start((worker) => worker.addFunction("upper", (job) => job.text().toUpperCase()));
    assert.equal(text(await client.do("upper", "abc").result()), "ABC");
    assert.equal(text(await client.do("upper", utf8("abc"))), "ABC");
    assert.equal(text(await client.do("upper", undefined, {}).result()), "");
  });

  test("reports its progress however the job is consumed", { timeout }, async () => {
    await using _worker = start((worker) =>
      worker.addFunction("steps", async (job) => {
        for (let i = 1; i <= 3; i++) await job.sendStatus(i, 3);
        return "done";
      })
    );
    const consumers: Record<string, (job: Job) => Promise<unknown>> = {
      result: (job) => job.result(),
      bytes: (job) => job.bytes(),
      text: (job) => job.text(),
      stream: (job) => new Response(job.stream()).text(),
      iteration: async (job) => {
        for await (const _ of job);
      },
    };
    for (const [name, consume] of Object.entries(consumers)) {
      const seen: number[] = [];
      await consume(client.do("steps", "", { onStatus: ({ numerator }) => void seen.push(numerator) }));
      assert.deepEqual(seen, [1, 2, 3], name);
    }
    const seen: number[] = [];
    client.do("steps", "", { onStatus: ({ numerator }) => void seen.push(numerator) }); // without a consumer
    await until(() => seen.length === 3);
  });

  test("ends if onStatus throws, at once or later", { timeout }, async () => {
    await using _worker = start((worker) =>
      worker.addFunction("steps", async (job) => {
        for (let i = 1; i <= 3; i++) await job.sendStatus(i, 3);
        await turns(5);
        return "done";
      })
    );
    let calls = 0;
    const failing = () => {
      calls += 1;
      throw new RangeError("too far");
    };
    const failingLater = async () => {
      await Promise.resolve();
      throw new RangeError("too far");
    };
    for (const onStatus of [failing, failingLater]) {
      await assert.rejects(client.do("steps", "", { onStatus }).text(), { name: "RangeError", message: "too far" });
      await assert.rejects(async () => {
        for await (const _ of client.do("steps", "", { onStatus }));
      }, { name: "RangeError" });
    }
    assert.equal(calls, 2, "it is not called any more");
    assert.equal(await client.do("steps").text(), "done"); // the connection goes on
  });
});

function parse(bytes: Uint8Array): unknown {
  return JSON.parse(text(bytes));
}

describe("a call of a typed function", () => {
  test("sends what the schema takes, not what it makes of it", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = makeClient(server);
    const trim = defineFunction("trim", { input: z.string().transform((value) => value.trim()) });
    await client.do(trim, " a ").created();
    await client.doBackground(trim, " b ");
    assert.deepEqual(submittedWorkloads(server), ['" a "', '" b "']);
  });

  test("sends undefined as no bytes in the foreground, and as null in the background", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = makeClient(server);
    await client.do(ping).created();
    await client.doBackground(ping);
    for await (const _ of client.doBackgroundAll(ping, [undefined, undefined]));
    assert.deepEqual(submittedWorkloads(server), ["", "null", "null", "null"]);
  });

  test("rejects an invalid input, and nothing is sent", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = makeClient(server);
    const wrong = { name: 5 as Any };
    await assert.rejects(client.do(resize, wrong).result(), INVALID);
    await assert.rejects(client.do(resize, wrong).created(), INVALID);
    await assert.rejects(client.do(resize, wrong).text(), INVALID);
    await assert.rejects(async () => {
      for await (const _ of client.do(resize, wrong));
    }, INVALID);
    await assert.rejects(client.doBackground(resize, wrong), INVALID);
    await assert.rejects(async () => await client.do(resize, undefined as Any), { name: "ValidationError" });
    assert.equal(server.dials.length, 0);
  });

  test("leaves no unhandled rejection if its job has no consumer", { timeout }, async () => {
    await using client = makeClient(new FakeServer(answerEverything()));
    const failing = defineFunction("f", { input: schemaOf<string>(() => Promise.reject(new Error("broken"))) });
    const unhandled = await unhandledOf(async () => {
      client.do(resize, { name: 5 as Any });
      client.do(resize, { name: 5 as Any }).result();
      client.do(failing, "x");
      const job = client.do(failing, "x");
      job.created();
      job.result();
      await assert.rejects(client.doBackground(failing, "x"), { name: "ValidationError" });
    });
    assert.deepEqual(unhandled, []);
  });

  test("checks the other arguments at once, before it encodes", { timeout }, async () => {
    await using client = makeClient(new FakeServer());
    const never = defineFunction<string>("f", { serializer: { encode: () => assert.fail(), decode: () => null } });
    assert.throws(() => client.do(never, "x", { priority: "urgent" as Any }), { name: "RangeError" });
    assert.throws(() => client.do(never, "x", { at: new Date() } as Any), { name: "TypeError" });
    assert.throws(() => client.do(never, "x", { onStatus: 5 as Any }), {
      name: "TypeError",
      message: "Cannot use onStatus: expected a function",
    });
    await assert.rejects(client.doBackground(never, "x", { unique: "u".repeat(64) }), { name: "RangeError" });
    await assert.rejects(client.doBackground(never, "x", 5 as Any), { name: "TypeError" });
  });

  test("names the argument that is neither a name nor a definition", { timeout }, async () => {
    await using client = makeClient(new FakeServer());
    const expected = { name: "TypeError", message: "Cannot use the function name: it must be a string" };
    for (const fn of [42, null, undefined, {}, { name: "f" }, () => {}, resize.input]) {
      assert.throws(() => client.do(fn as Any), expected);
      await assert.rejects(client.doBackground(fn as Any, "x"), expected);
      await assert.rejects(client.doBackgroundAll(fn as Any, []).next(), expected);
    }
  });

  test("in the background by name needs a workload", { timeout }, async () => {
    await using client = makeClient(new FakeServer());
    await assert.rejects(client.doBackground("f", undefined as Any), {
      name: "TypeError",
      message: "Cannot use the workload: it must be a string or a Uint8Array",
    });
  });

  test("may be made with any object of the shape of a definition", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = makeClient(server);
    const encode = (value: number) => "x".repeat(value);
    const plain = { name: "plain", input: { encode, decode: () => 0 }, output: { encode, decode: () => 0 } };
    await client.do(plain, 3).created();
    assert.deepEqual(submittedWorkloads(server), ["xxx"]);
    const empty = { name: "RangeError", message: /^Cannot use the workload: it is empty/ };
    await assert.rejects(client.doBackground(plain, 0), empty);
    await assert.rejects(client.doBackgroundAll(plain, [0]).next(), { name: "RangeError", message: /^Workload 0: / });
    const broken = { ...plain, input: { ...plain.input, encode: (value: number) => value as Any as string } };
    await assert.rejects(client.do(broken, 1).created(), {
      name: "TypeError",
      message: "Cannot use the workload: it must be a string or a Uint8Array",
    });
  });

  test("is sent in the tick of the call if nothing is asynchronous", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = makeClient(server);
    await client.echo("");
    client.do(resize, { name: "1" });
    client.do("raw", "2");
    client.doBackground(resize, { name: "3" });
    await client.echo("");
    assert.deepEqual(submittedWorkloads(server), ['{"name":"1"}', "2", '{"name":"3"}']);
  });

  test("with a slow check is sent when the check has passed; other calls go on", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = makeClient(server);
    const { schema, checks } = new SlowChecks();
    const slow = defineFunction("slow", { input: schema });
    const jobs = [client.do(slow, "1"), client.do(slow, "2")];
    const background = client.doBackground(slow, "3");
    await client.do("fast", "0").created();
    assert.deepEqual(submittedWorkloads(server), ["0"]);
    checks[2]!.pass();
    await background;
    checks[0]!.refuse();
    checks[1]!.pass();
    await assert.rejects(jobs[0]!.created(), { message: 'The input of "slow" is invalid: refused' });
    await jobs[1]!.created();
    assert.deepEqual(submittedWorkloads(server), ["0", '"3"', '"2"']);
  });

  test("sends the input as it was at the call, whatever happens to it later", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = makeClient(server);
    const checked: Schema<Uint8Array> = schemaOf((value) => ({ value: value as Uint8Array }));
    const slowly: Schema<Uint8Array> = schemaOf(async (value) => {
      await turns(1);
      return { value: value as Uint8Array };
    });
    for (const input of [checked, slowly]) {
      for (const size of [10, 200_000]) {
        const copy = defineFunction("copy", { input, serializer: bytesSerializer });
        const bytes = pattern(size);
        const job = client.do(copy, bytes);
        const background = client.doBackground(copy, bytes);
        bytes.fill(0);
        await Promise.all([job.created(), background]);
      }
    }
    const sent = server.peer.requests.filter(isSubmission).map(({ args }) => toHex(args.at(-1)!));
    const [small, large] = [toHex(pattern(10)), toHex(pattern(200_000))];
    assert.deepEqual(sent.map((hex) => hex === small || hex === large), Array.from({ length: 8 }, () => true));
    const value = { olderThan: 1 };
    const job = client.doBackground(cleanUp, value);
    value.olderThan = 2;
    await job;
    assert.equal(submittedWorkloads(server).at(-1), '{"olderThan":1}');
  });

  test("that is aborted during its check rejects at once with the reason, and is not sent", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = makeClient(server);
    const { schema, checks } = new SlowChecks();
    const slow = defineFunction("slow", { input: schema });
    const unhandled = await unhandledOf(async () => {
      const abort = new AbortController();
      const { signal } = abort;
      const job = client.do(slow, "1", { signal });
      const background = client.doBackground(slow, "2", { signal });
      abort.abort(new Error("enough"));
      await assert.rejects(job.created(), { message: "enough" });
      await assert.rejects(background, { message: "enough" });
      checks[0]!.pass();
      checks[1]!.refuse();
      await turns(5);
      await assert.rejects(client.do(slow, "3", { signal }).result(), { message: "enough" });
      checks[2]!.pass();
      await client.echo("");
    });
    assert.deepEqual(unhandled, []);
    assert.deepEqual(submittedWorkloads(server), []);
  });

  test("whose consumer leaves during its check is not sent", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = makeClient(server);
    const { schema, checks } = new SlowChecks();
    const job = client.do(defineFunction("slow", { input: schema }), "1");
    await job[Symbol.asyncIterator]().return!();
    await assert.rejects(job.created(), { message: /was abandoned before it was created/ });
    checks[0]!.pass();
    await turns(5);
    await client.echo("");
    assert.deepEqual(submittedWorkloads(server), []);
  });

  test("rejects if the client was closed during its check", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    const client = makeClient(server);
    const { schema, checks } = new SlowChecks();
    const job = client.do(defineFunction("slow", { input: schema }), "1");
    await client.close();
    checks[0]!.pass();
    await assert.rejects(job.result(), (error) => {
      assert.ok(error instanceof GearmanError && !(error instanceof ConnectionError));
      return true;
    });
  });

  test("is spread over servers by its encoded input if its unique is a dash", { timeout }, async () => {
    const servers = [1, 2, 3, 4].map((port) => `127.0.0.1:${port}`);
    const chosen = async (submit: (client: GearmanClient) => Promise<unknown>): Promise<string> => {
      const server = new FakeServer(answerEverything());
      await using client = new GearmanClient({ servers, dial: server.dial, balance: "unique" });
      await submit(client);
      return server.dials[0]!;
    };
    const names = Array.from({ length: 8 }, (_, i) => `${i}.png`);
    const places = new Set<string>();
    for (const name of names) {
      const typed = await chosen((client) => client.do(resize, { name }, { unique: "-" }).created());
      const raw = await chosen((client) => client.do("resize", JSON.stringify({ name }), { unique: "-" }).created());
      assert.equal(typed, raw);
      places.add(typed);
    }
    assert.ok(places.size > 1);
  });
});

describe("many typed inputs", () => {
  async function take(jobs: AsyncIterable<unknown>): Promise<{ taken: number; error: unknown }> {
    let taken = 0;
    try {
      for await (const _ of jobs) taken += 1;
      return { taken, error: undefined };
    } catch (error) {
      return { taken, error };
    }
  }

  test("end with the index of the first invalid one, after the jobs before it", { timeout }, async () => {
    const numbers = defineFunction("n", { input: z.number() });
    const slowNumbers = defineFunction("n", { input: z.number().refine(async () => await Promise.resolve(true)) });
    for (const fn of [numbers, slowNumbers]) {
      const server = new FakeServer(answerEverything());
      await using client = makeClient(server);
      const { taken, error } = await take(client.doBackgroundAll(fn, [1, 2, 3, "4" as Any, 5, 6]));
      assert.equal(taken, 3);
      assert.ok(error instanceof ValidationError);
      assert.equal(
        error.message,
        'Workload 3: The input of "n" is invalid: Invalid input: expected number, received string',
      );
      assert.deepEqual(submittedWorkloads(server), ["1", "2", "3"]);
    }
  });

  test("wait for one slow check at a time, and keep their order", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = makeClient(server);
    const { schema, checks } = new SlowChecks();
    const taking = take(client.doBackgroundAll(defineFunction("slow", { input: schema }), ["a", "b", "c"]));
    for (let i = 0; i < 3; i++) {
      await until(() => checks.length === i + 1);
      await turns(3);
      assert.equal(checks.length, i + 1, "the next one is not read before");
      checks[i]!.pass();
    }
    assert.deepEqual(await taking, { taken: 3, error: undefined });
    assert.deepEqual(submittedWorkloads(server), ['"a"', '"b"', '"c"']);
  });

  test("that are left or aborted during a check end at once, and close their source", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    await using client = makeClient(server);
    for (const end of ["abort", "return"] as const) {
      const { schema, checks } = new SlowChecks();
      const abort = new AbortController();
      let closed = false;
      const source = function* () {
        try {
          yield "a";
          yield "b";
        } finally {
          closed = true;
        }
      };
      const { signal } = abort;
      const slow = defineFunction("slow", { input: schema });
      const unhandled = await unhandledOf(async () => {
        const jobs = client.doBackgroundAll(slow, source(), { signal });
        const first = jobs.next();
        await until(() => checks.length === 1);
        checks[0]!.pass();
        assert.equal((await first).done, false);
        await until(() => checks.length === 2);
        if (end === "abort") {
          const second = jobs.next();
          abort.abort(new Error("enough"));
          await assert.rejects(second, { message: "enough" });
        } else {
          await jobs.return();
        }
        assert.ok(closed);
        checks[1]!.refuse();
        await turns(5);
      });
      assert.deepEqual(unhandled, []);
    }
    assert.deepEqual(submittedWorkloads(server), ['"a"', '"a"']);
  });

  test("leave in few writes if nothing is asynchronous", { timeout }, async () => {
    const server = new FakeServer(answerEverything());
    let writes = 0;
    const counting = new GearmanClient({
      dial: async (address, options) => {
        const transport = await server.dial(address, options);
        const write = transport.write.bind(transport);
        transport.write = (bytes) => {
          writes += 1;
          return write(bytes);
        };
        return transport;
      },
    });
    await counting.echo("");
    writes = 0;
    const inputs = Array.from({ length: 500 }, (_, olderThan) => ({ olderThan }));
    const { taken } = await take(counting.doBackgroundAll(cleanUp, inputs));
    await counting.close();
    assert.equal(taken, 500);
    assert.ok(writes < 20, `${writes} writes`);
  });

  test("must be an iterable that is no string and no bytes", { timeout }, async () => {
    await using client = makeClient(new FakeServer());
    for (const inputs of ["abc", Uint8Array.of(1), 5, undefined]) {
      const { error } = await take(client.doBackgroundAll(cleanUp, inputs as Any));
      assert.equal((error as Error).name, "TypeError");
    }
  });
});

describe("a typed job that fails", () => {
  test("rejects as a job by name does, and its output is not decoded", { timeout }, async () => {
    const answer = answerEverything();
    const server = new FakeServer((packet, peer) => {
      answer(packet, peer);
      if (isSubmission(packet)) peer.answer(PacketType.WORK_EXCEPTION, `H:${peer.requests.length}`, "no");
    });
    await using client = makeClient(server);
    const serializer: Serializer = { encode: JSON.stringify, decode: () => assert.fail("it was decoded") };
    const fn = defineFunction<number, number>("f", { serializer });
    await assert.rejects(client.do(fn, 1).result(), (error) => {
      assert.ok(error instanceof JobFailedError);
      assert.match(error.message, /failed: no$/);
      return true;
    });
  });

  test("rejects if its output is decoded asynchronously, and refused", { timeout }, async () => {
    const answer = answerEverything();
    const server = new FakeServer((packet, peer) => {
      answer(packet, peer);
      if (isSubmission(packet)) peer.answer(PacketType.WORK_COMPLETE, `H:${peer.requests.length}`, "1");
    });
    await using client = makeClient(server);
    const never: Schema<number> = schemaOf(async (value) =>
      await refusing<number>({ message: "never" })["~standard"].validate(value)
    );
    const unhandled = await unhandledOf(async () => {
      const fn = defineFunction("f", { output: never, input: z.number() });
      await assert.rejects(client.do(fn, 1).result(), { message: 'The output of "f" is invalid: never' });
      client.do(fn, 1).result();
      const events: JobEvent["type"][] = [];
      for await (const { type } of client.do(fn, 1)) events.push(type);
      assert.deepEqual(events, ["created", "complete"]);
    });
    assert.deepEqual(unhandled, []);
  });
});

describe("a submission of a typed function", () => {
  const limits = { maxBuffered: 1, maxResultSize: 1, lagging: new LaggingJobs(1) };
  const makeJob = (onStatus?: () => void) =>
    new ForegroundJob(foregroundPacket(resize, { name: "x" }, {}), limits, onStatus);

  test("gets its workload when it is encoded, and a large one waits its turn as any large one does", () => {
    const job = makeJob();
    assert.deepEqual(job.packet.args, ["resize", "", ""]);
    job.setWorkload("abc");
    assert.deepEqual([job.packet.args.at(-1), job.isLarge], ["abc", false]);
    job.setWorkload(new Uint8Array(65_536));
    assert.ok(job.isLarge);
  });

  test("keeps no workload that comes after its end", () => {
    const job = makeJob();
    job.fail(new Error("enough"));
    job.setWorkload("abc");
    assert.deepEqual(Object.entries(job.packet.args), []);
  });

  test("reports no progress after its end", () => {
    let calls = 0;
    const job = makeJob(() => calls++);
    job.onEvent({ type: "status", numerator: 1, denominator: 2 });
    job.fail(new Error("enough"));
    job.onEvent({ type: "status", numerator: 2, denominator: 2 });
    assert.equal(calls, 1);
  });
});
