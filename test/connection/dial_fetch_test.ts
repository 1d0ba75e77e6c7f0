/** Tests of `dialFetch` against answers that a test writes: outcomes, the order of replies, splitting, aborts, limits. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ConnectionError,
  dialFetch,
  type DoOptions,
  type FetchInit,
  GearmanClient,
  GearmanError,
  GearmanWorker,
  ServerError,
} from "../../mod.ts";
import { encodeResponse, type Packet, PacketDecoder, packetName, PacketType } from "../../src/codec/mod.ts";
import { Connection } from "../../src/connection/mod.ts";
import { deferred } from "../../src/internal/promises.ts";
import { header, join, pattern, text, utf8 } from "../support/bytes.ts";
import { fakeClock } from "../support/fake_timers.ts";
import { turns, until } from "../support/wait.ts";

const timeout = 10_000;
const URL = "http://gateway.example/gearman";
const CONTENT_TYPE = "application/vnd.gearman";
const { JOB_CREATED, WORK_DATA, WORK_COMPLETE, WORK_STATUS, ECHO_RES, STATUS_RES, NOOP, WORK_FAIL } = PacketType;

/** A POST that the test answers. */
class FakePost {
  readonly init: FetchInit;
  readonly requests: Packet[];
  readonly response = deferred<Response>();
  #controller!: ReadableStreamDefaultController<Uint8Array>;

  constructor(init: FetchInit) {
    this.init = init;
    const decoder = new PacketDecoder({ maxPacketSize: 0xffff_ffff });
    decoder.push(init.body);
    this.requests = [...decoder];
    decoder.end();
    init.signal.addEventListener("abort", () => {
      this.response.reject(init.signal.reason);
      try {
        this.#controller.error(init.signal.reason);
      } catch {
        // It has ended, or never began.
      }
    });
  }

  /** Answers with a status of 200; the body goes on. */
  begin(headers: Record<string, string> = { "content-type": CONTENT_TYPE }): void {
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (this.#controller = controller) });
    this.response.resolve(new Response(body, { headers }));
  }

  send(...chunks: Uint8Array[]): void {
    for (const chunk of chunks) this.#controller.enqueue(chunk);
  }

  end(): void {
    this.#controller.close();
  }

  /** Answers with these chunks, and no more. */
  answer(...chunks: Uint8Array[]): void {
    this.begin();
    this.send(...chunks);
    this.end();
  }

  get names(): string[] {
    return this.requests.map(({ type }) => packetName(type));
  }
}

/** A fetch of which the test answers each call. */
class FakeFetch {
  readonly posts: FakePost[] = [];
  readonly fetch = (url: string, init: FetchInit): Promise<Response> => {
    assert.equal(url, URL);
    const post = new FakePost(init);
    this.posts.push(post);
    return post.response.promise;
  };

  client(options: { headers?: () => Promise<Record<string, string>> } = {}): GearmanClient {
    return new GearmanClient({ dial: dialFetch(URL, { fetch: this.fetch, ...options }), minBackoff: 0 });
  }

  /** Waits for this number of POSTs, and returns the last. */
  async untilPosts(count: number): Promise<FakePost> {
    await until(() => this.posts.length >= count);
    return this.posts.at(-1)!;
  }
}

function created(handle: string): Uint8Array {
  return encodeResponse(JOB_CREATED, handle);
}

test("the arguments are checked", () => {
  for (const url of ["", "/gearman", "gearman", "ftp://a.example/", "ws://a.example/", "http://user:x@a.example/"]) {
    assert.throws(() => dialFetch(url), TypeError, url);
  }
  assert.throws(() => dialFetch(URL, { fetch: 1 as never }), TypeError);
  assert.throws(() => dialFetch(URL, null as never), TypeError);
  assert.throws(() => dialFetch(URL, { headers: { "x-split": "a\r\nb: c" } }), TypeError);
});

test("a POST has packets, the headers of the option, and follows no redirect", { timeout }, async () => {
  const fake = new FakeFetch();
  let tokens = 0;
  const client = fake.client({
    headers: () => {
      tokens += 1;
      return Promise.resolve({ authorization: `token ${tokens}` });
    },
  });
  for (const token of [1, 2]) {
    const job = client.doBackground("f", "x");
    const post = await fake.untilPosts(token);
    assert.deepEqual(post.names, ["SUBMIT_JOB_BG"]);
    assert.deepEqual([post.init.method, post.init.redirect], ["POST", "manual"]);
    assert.equal(post.init.headers.get("content-type"), CONTENT_TYPE);
    assert.equal(post.init.headers.get("authorization"), `token ${token}`);
    post.answer(created("H:1"));
    assert.equal((await job).handle, "H:1");
  }
  await client.close();
});

test("refusals are ServerErrors, and leave the connection alone", { timeout }, async () => {
  const fake = new FakeFetch();
  const client = fake.client();
  const other = client.do("f", "other");
  const first = await fake.untilPosts(1);
  first.begin();
  first.send(created("H:1"));
  await other.created();
  for (
    const [status, headers] of [[400, {}], [401, {}], [413, {}], [429, {}], [503, { "retry-after": "1" }]] as const
  ) {
    const calls = [client.doBackground("f", "a"), client.doBackground("f", "b")];
    const post = await fake.untilPosts(fake.posts.length + 1);
    post.response.resolve(new Response("no\r\nreason", { status, headers }));
    for (const call of calls) {
      await assert.rejects(call, (error) => {
        return error instanceof ServerError && error.code === `HTTP_${status}` && error.text === "no reason";
      });
    }
  }
  first.send(encodeResponse(WORK_COMPLETE, "H:1", "done"));
  first.end();
  assert.equal(await other.text(), "done");
  await client.close();
});

test("the text of a refusal that never ends is cut", { timeout }, async () => {
  const fake = new FakeFetch();
  const client = fake.client();
  const call = client.doBackground("f", "a");
  const post = await fake.untilPosts(1);
  const body = new ReadableStream({ pull: (controller) => controller.enqueue(utf8("x".repeat(300))) });
  post.response.resolve(new Response(body, { status: 403 }));
  await assert.rejects(call, { code: "HTTP_403" });
  await client.close();
});

test("all other answers are unknown, or accepted after JOB_CREATED", { timeout }, async () => {
  const answers: Record<string, (post: FakePost) => void> = {
    "500": (post) => post.response.resolve(new Response("", { status: 500 })),
    "502": (post) => post.response.resolve(new Response("", { status: 502 })),
    "503 without Retry-After": (post) => post.response.resolve(new Response("", { status: 503 })),
    "504": (post) => post.response.resolve(new Response("", { status: 504 })),
    "302": (post) => post.response.resolve(new Response(null, { status: 302, headers: { location: "/" } })),
    "a redirect in a browser": (post) => post.response.resolve(Response.error()), // it has the status 0, too
    "204": (post) => post.response.resolve(new Response(null, { status: 204 })),
    "a page": (post) => post.begin({ "content-type": "text/html" }),
    "a rejection": (post) => post.response.reject(new TypeError("fetch failed")),
    "an early end": (post) => {
      post.begin();
      post.end();
    },
    "an end in a header": (post) => {
      post.answer(created("H:1").subarray(0, 5));
    },
    "no packets": (post) => {
      post.begin();
      post.send(utf8("<html>a page of a proxy</html>"));
    },
    "a request": (post) => {
      post.begin();
      post.send(header("\0REQ", 1, 0));
    },
    "a wrong reply": (post) => {
      post.begin();
      post.send(encodeResponse(STATUS_RES, "H:1", "0", "0", "0", "0"), created("H:1"));
    },
  };
  for (const [name, answer] of Object.entries(answers)) {
    const fake = new FakeFetch();
    const client = fake.client();
    const call = client.doBackground("f", "a");
    answer(await fake.untilPosts(1));
    await assert.rejects(call, (error) => {
      if (name === "a wrong reply") return error instanceof GearmanError;
      const delivery = error instanceof ConnectionError ? error.delivery : undefined;
      return assert.equal(delivery, "unknown", `${name}: ${error}`) === undefined;
    });
    await client.close();
  }
  for (const end of ["end", "abort"] as const) {
    const fake = new FakeFetch();
    const client = fake.client();
    const job = client.do("f", "a");
    const post = await fake.untilPosts(1);
    post.begin();
    post.send(created("H:1"), encodeResponse(WORK_DATA, "H:1", "x").subarray(0, end === "end" ? 99 : 13));
    await job.created();
    post.end();
    await assert.rejects(async () => await job, (error) => {
      return error instanceof ConnectionError && error.delivery === "accepted" && error.handle === "H:1";
    });
    await client.close();
  }
});

test("with headers that cannot be made nothing is sent, and the error says so", { timeout }, async () => {
  const fake = new FakeFetch();
  const cause = new Error("no token");
  const made: (() => Record<string, string>)[] = [
    () => ({ authorization: "a token" }),
    () => {
      throw cause;
    },
    () => ({ "x-split": "a\r\nb: c" }),
  ];
  const client = fake.client({ headers: () => Promise.resolve(made[0]!()) });
  const running = client.do("f", "a");
  const post = await fake.untilPosts(1);
  post.begin();
  post.send(created("H:1"));
  await running.created();
  made.shift();
  const calls = [client.doBackground("f", "b"), client.do("f", "c", { unique: "u" }).text(), client.jobStatus("H:1")];
  const [background, foreground, status] = (await Promise.allSettled(calls)).map((outcome) => {
    return (outcome as PromiseRejectedResult).reason as ConnectionError;
  });
  for (const error of [background!, foreground!]) {
    assert.deepEqual([error.name, error.delivery], ["ConnectionError", "not-sent"]);
    assert.equal(error.cause, cause);
  }
  assert.equal(foreground!.unique, "u");
  assert.deepEqual([status!.name, status!.cause], ["ConnectionError", cause]);
  made.shift();
  await assert.rejects(client.doBackground("f", "d"), (error) => {
    return error instanceof ConnectionError && error.delivery === "not-sent" && error.cause instanceof TypeError;
  });
  assert.equal(fake.posts.length, 1);
  post.send(encodeResponse(WORK_COMPLETE, "H:1", "done"));
  post.end();
  assert.equal(await running.text(), "done");
  await client.close();
});

test("a POST that fails takes only its own requests with it", { timeout }, async () => {
  const failures: Record<string, (post: FakePost) => void> = {
    "502": (post) => post.response.resolve(new Response("", { status: 502 })),
    "a rejection": (post) => post.response.reject(new TypeError("fetch failed")),
    "an early end": (post) => {
      post.begin();
      post.end();
    },
    "a wrong reply": (post) => {
      post.begin();
      post.send(encodeResponse(STATUS_RES, "H:1", "0", "0", "0", "0"));
    },
    "a reply too many": (post) => {
      post.begin();
      post.send(encodeResponse(ECHO_RES, ""));
    },
    "no packets": (post) => {
      post.begin();
      post.send(utf8("<html>a page of a proxy</html>"));
    },
  };
  const fake = new FakeFetch();
  const events: string[] = [];
  const client = new GearmanClient({
    dial: dialFetch(URL, { fetch: fake.fetch }),
    onEvent: ({ type }) => events.push(type),
  });
  const running = client.do("f", "x");
  const first = await fake.untilPosts(1);
  first.begin();
  first.send(created("H:1"));
  await running.created();
  for (const [name, fail] of Object.entries(failures)) {
    const calls = [client.doBackground("f", "a"), client.do("f", "b").text()];
    const count = fake.posts.length;
    const post = await fake.untilPosts(count + 1);
    const later = client.doBackground("f", "c");
    const next = await fake.untilPosts(count + 2);
    next.answer(created("H:9"));
    fail(post);
    for (const call of calls) {
      await assert.rejects(call, (error) => {
        return assert.equal((error as ConnectionError).delivery, "unknown", `${name}: ${error}`) === undefined;
      });
    }
    assert.equal((await later).handle, "H:9");
    assert.equal(post.init.signal.aborted, true);
  }
  first.send(encodeResponse(WORK_COMPLETE, "H:1", "done"));
  first.end();
  assert.equal(await running.text(), "done");
  assert.deepEqual(events, ["connected"]);
  await client.close();
});

test("a POST that fails inside a result takes no other result with it", { timeout }, async () => {
  const fake = new FakeFetch();
  const client = fake.client();
  const [cut, whole] = [client.do("f", "1"), client.do("f", "2")];
  const one = await fake.untilPosts(1);
  one.begin();
  one.send(created("H:1"), created("H:2"));
  await whole.created();
  const other = client.do("f", "3");
  const two = await fake.untilPosts(2);
  two.begin();
  two.send(created("H:3"));
  await other.created();
  const result = pattern(300_000);
  one.send(
    encodeResponse(WORK_COMPLETE, "H:2", result),
    encodeResponse(WORK_COMPLETE, "H:1", result).slice(0, 200_000),
  );
  two.send(encodeResponse(WORK_COMPLETE, "H:3", result).slice(0, 100_000));
  await turns();
  one.end();
  await assert.rejects(async () => await cut, (error) => {
    return error instanceof ConnectionError && error.delivery === "accepted" && error.handle === "H:1";
  });
  assert.deepEqual(await whole.bytes(), result);
  two.send(encodeResponse(WORK_COMPLETE, "H:3", result).slice(100_000));
  two.end();
  assert.deepEqual(await other.bytes(), result);
  await client.close();
});

test("a question is asked once more if its POST fails", { timeout }, async () => {
  const fake = new FakeFetch();
  const client = fake.client();
  for (const attempts of [1, 2]) {
    const asked = client.jobStatus("H:1");
    const count = fake.posts.length;
    const post = await fake.untilPosts(count + 1);
    post.response.resolve(new Response("", { status: 502 }));
    const again = await fake.untilPosts(count + 2);
    assert.deepEqual(again.names, ["GET_STATUS"]);
    if (attempts === 2) {
      again.response.resolve(new Response("", { status: 502 }));
      await assert.rejects(asked, { name: "ConnectionError", message: /502/ });
    } else {
      again.answer(encodeResponse(STATUS_RES, "H:1", "1", "0", "0", "0"));
      assert.equal((await asked).known, true);
    }
  }
  await client.close();
});

test("a connection without a client breaks with a POST that fails", { timeout }, async () => {
  const fake = new FakeFetch();
  const dial = dialFetch(URL, { fetch: fake.fetch });
  const connection = new Connection(await dial({ hostname: "any", port: 1 }, {}));
  connection.send(PacketType.SUBMIT_JOB_BG, "f", "", "a");
  const one = await fake.untilPosts(1);
  connection.send(PacketType.SUBMIT_JOB_BG, "f", "", "b");
  const two = await fake.untilPosts(2);
  connection.send(PacketType.SUBMIT_JOB_BG, "f", "", "c");
  const three = await fake.untilPosts(3);
  one.begin();
  one.send(created("H:1"));
  two.response.resolve(new Response("", { status: 500 }));
  const received: string[] = [];
  await assert.rejects(async () => {
    for await (const packet of connection) received.push(packetName(packet.type));
  }, { name: "ConnectionError", message: /500/ });
  assert.deepEqual(received, ["JOB_CREATED"]);
  assert.equal(one.init.signal.aborted, true);
  assert.equal(three.init.signal.aborted, true);
  await connection.close();
});

test(
  "a question shows life while a POST before it is alive, and after 35 s of silence no more",
  { timeout },
  async () => {
    using clock = fakeClock();
    const fake = new FakeFetch();
    const dial = dialFetch(URL, { fetch: fake.fetch });
    const connection = new Connection(await dial({ hostname: "any", port: 1 }, {}));
    const received: string[] = [];
    const pumping = connection.pump(({ type }) => void received.push(packetName(type))).catch(() => {});
    const ask = async () => {
      connection.send(PacketType.ECHO_REQ, ""); // the reply waits for those before it
      await turns();
      return received.splice(0);
    };
    connection.send(PacketType.ECHO_REQ, "itself");
    const itself = await fake.untilPosts(1);
    await turns();
    assert.deepEqual(received.splice(0), ["WORK_STATUS"]);
    itself.answer(encodeResponse(ECHO_RES, "itself"));
    await until(() => received.length > 0);
    assert.deepEqual(received.splice(0), ["ECHO_RES"]);
    connection.send(PacketType.SUBMIT_JOB, "f", "", "x");
    const post = await fake.untilPosts(2);
    await turns();
    assert.deepEqual(received, []);
    assert.deepEqual(await ask(), ["WORK_STATUS"]);
    clock.advance(34_000);
    assert.deepEqual(await ask(), ["WORK_STATUS"]);
    connection.send(PacketType.SUBMIT_JOB_BG, "f", "", "y");
    const ended = await fake.untilPosts(3); // a POST that has ended is not alive
    ended.answer(created("H:2"));
    await turns();
    clock.advance(2_000);
    assert.deepEqual(await ask(), []);
    post.begin();
    post.send(encodeResponse(NOOP));
    await turns();
    assert.deepEqual(await ask(), ["WORK_STATUS"]);
    post.send(created("H:1"));
    await turns();
    const inOrder = ["JOB_CREATED", "ECHO_RES", "ECHO_RES", "JOB_CREATED", "ECHO_RES", "ECHO_RES"];
    assert.deepEqual(received.splice(0), inOrder);
    assert.deepEqual(await ask(), ["ECHO_RES"], "no reply before it is awaited");
    connection.send(PacketType.GET_STATUS, "H:1");
    await fake.untilPosts(4);
    await turns();
    assert.deepEqual(received.splice(0), ["WORK_STATUS"]);
    await connection.close();
    await pumping;
  },
);

test("replies keep the order of the requests over all POSTs", { timeout }, async () => {
  const fake = new FakeFetch();
  const client = fake.client();
  const first = client.do("f", "1");
  await fake.untilPosts(1);
  const second = client.do("f", "2");
  await fake.untilPosts(2);
  const [one, two] = fake.posts as [FakePost, FakePost];
  two.answer(created("H:2"), encodeResponse(WORK_COMPLETE, "H:2", "result 2"));
  await turns();
  assert.equal(second.handle, undefined);
  one.begin();
  one.send(created("H:1"));
  assert.equal(await second.text(), "result 2");
  one.send(encodeResponse(WORK_COMPLETE, "H:1", "result 1"));
  one.end();
  assert.equal(await first.text(), "result 1");
  await client.close();
});

test("a long request counts as alive for a millisecond more for each 64 bytes", { timeout }, async () => {
  using clock = fakeClock();
  const fake = new FakeFetch();
  const dial = dialFetch(URL, { fetch: fake.fetch });
  const connection = new Connection(await dial({ hostname: "any", port: 1 }, {}));
  const received: string[] = [];
  const pumping = connection.pump(({ type }) => void received.push(packetName(type))).catch(() => {});
  connection.send(PacketType.SUBMIT_JOB_BG, "f", "", new Uint8Array(6_400_000));
  await fake.untilPosts(1);
  for (const [ms, expected] of [[134_000, ["WORK_STATUS"]], [2_000, []]] as const) {
    clock.advance(ms);
    connection.send(PacketType.ECHO_REQ, "");
    await turns();
    assert.deepEqual(received.splice(0), expected);
  }
  await connection.close();
  await pumping;
});

test("a job of each priority, and one with a reducer, runs until its result has come", { timeout }, async () => {
  const fake = new FakeFetch();
  await using client = fake.client();
  for (const [i, options] of [{}, { priority: "high" }, { priority: "low" }, { reducer: "g" }].entries()) {
    const job = client.do("f", "x", options as DoOptions);
    const result = job.text();
    const post = await fake.untilPosts(i + 1);
    post.begin();
    post.send(created("H:1"));
    await turns();
    post.send(encodeResponse(WORK_COMPLETE, "H:1", "done"));
    post.end();
    assert.equal(await result, "done");
  }
});

test("one handle in two POSTs is two jobs, and the server is asked about it by its own name", { timeout }, async () => {
  const fake = new FakeFetch();
  const client = fake.client();
  const jobs = [];
  for (const count of [1, 2]) {
    const job = client.do("f", "x", { unique: "u" });
    const post = await fake.untilPosts(count);
    post.begin();
    post.send(created("H:1"));
    await job.created();
    jobs.push(job);
  }
  assert.deepEqual(jobs.map(({ handle }) => handle), ["H:1", "H:1+2"]);
  const [one, two] = fake.posts as [FakePost, FakePost];
  const asked = client.jobStatus("H:1+2");
  const question = await fake.untilPosts(3);
  assert.equal(text(question.requests[0]!.args[0]!), "H:1");
  question.answer(encodeResponse(STATUS_RES, "H:1", "1", "1", "1", "2"));
  assert.equal((await asked).running, true);
  // The second POST is faster, and gets a piece that the first one does not.
  two.send(encodeResponse(WORK_DATA, "H:1", "a"), encodeResponse(WORK_COMPLETE, "H:1", "b"));
  two.end();
  assert.equal(await jobs[1]!.text(), "ab");
  one.send(encodeResponse(WORK_COMPLETE, "H:1", "c"));
  one.end();
  assert.equal(await jobs[0]!.text(), "c");
  await client.close();
});

test("events of handles that a POST did not submit reach no one", { timeout }, async () => {
  const fake = new FakeFetch();
  const client = fake.client();
  const mine = client.do("f", "x");
  const one = await fake.untilPosts(1);
  one.begin();
  one.send(created("H:1"));
  await mine.created();
  const other = client.do("f", "y");
  const two = await fake.untilPosts(2);
  two.begin();
  two.send(encodeResponse(WORK_COMPLETE, "H:1", pattern(200_000)), created("H:2"));
  two.send(encodeResponse(WORK_FAIL, "H:1"), encodeResponse(WORK_COMPLETE, "H:2", "2"));
  two.end();
  assert.equal(await other.text(), "2");
  one.send(encodeResponse(WORK_COMPLETE, "H:1", "1"));
  one.end();
  assert.equal(await mine.text(), "1");
  await client.close();
});

test("long packets of several POSTs do not mix, in chunks of any size", { timeout }, async () => {
  const fake = new FakeFetch();
  const client = fake.client();
  const results = [];
  for (const i of [1, 2]) {
    const job = client.do("f", "x", { unique: "u" });
    const post = await fake.untilPosts(i);
    post.begin();
    post.send(created("H:1"));
    await job.created();
    results.push(job.bytes());
  }
  const expected = [pattern(300_000), pattern(200_000)];
  const streams = expected.map((bytes) => join([encodeResponse(NOOP), encodeResponse(WORK_COMPLETE, "H:1", bytes)]));
  for (let at = 0; at < 300_100; at += 7_001) {
    for (const [i, stream] of streams.entries()) fake.posts[i]!.send(stream.slice(at, at + 7_001));
  }
  for (const post of fake.posts) post.end();
  for (const [i, result] of (await Promise.all(results)).entries()) assert.deepEqual(result, expected[i]);
  await client.close();
});

test("a packet in chunks of one byte, and a NOOP between", { timeout }, async () => {
  const fake = new FakeFetch();
  const client = fake.client();
  const job = client.do("f", "x");
  const post = await fake.untilPosts(1);
  post.begin();
  const answer = join([
    ...[encodeResponse(NOOP), created("H:1"), encodeResponse(NOOP), encodeResponse(WORK_STATUS, "H:1", "1", "2")],
    encodeResponse(WORK_COMPLETE, "H:1", "done"),
  ]);
  for (const byte of answer) post.send(Uint8Array.of(byte));
  post.end();
  assert.equal(await job.text(), "done");
  await client.close();
});

test("a long echo waits for the replies before it, and the next ones for its end", { timeout }, async () => {
  const fake = new FakeFetch();
  const dial = dialFetch(URL, { fetch: fake.fetch });
  const client = new GearmanClient({ dial });
  const bytes = pattern(150_000);
  const slow = client.doBackground("f", "x");
  const one = await fake.untilPosts(1);
  const echoed = client.echo(bytes);
  const two = await fake.untilPosts(2);
  const last = client.doBackground("f", "y");
  const three = await fake.untilPosts(3);
  two.begin();
  const echo = encodeResponse(ECHO_RES, bytes);
  two.send(echo.slice(0, 100_000));
  three.answer(created("H:3"));
  await turns();
  one.answer(created("H:1"));
  assert.equal((await slow).handle, "H:1");
  two.send(echo.slice(100_000));
  two.end();
  assert.deepEqual(await echoed, bytes);
  assert.equal((await last).handle, "H:3");
  await client.close();
});

test("10,001 packets of a tick are two POSTs", { timeout }, async () => {
  const fake = new FakeFetch();
  const client = fake.client();
  const first = client.doBackground("f", "0");
  const warm = await fake.untilPosts(1);
  warm.answer(created("H:0"));
  await first;
  const jobs = Array.from({ length: 10_001 }, (_, i) => client.doBackground("f", String(i)));
  await fake.untilPosts(3);
  assert.deepEqual(fake.posts.slice(1).map(({ requests }) => requests.length), [10_000, 1]);
  for (const [i, post] of fake.posts.slice(1).entries()) {
    post.answer(...post.requests.map((_, j) => created(`H:${i}.${j}`)));
  }
  assert.equal(new Set((await Promise.all(jobs)).map(({ handle }) => handle)).size, 10_001);
  await client.close();
});

test("the body of a POST has at most 16 MiB, unless its only workload is larger", { timeout }, async () => {
  const fake = new FakeFetch();
  const client = fake.client();
  const mib = 1_048_576;
  const calls = [7, 7, 7, 20].map((size) => client.doBackground("f", new Uint8Array(size * mib)));
  await fake.untilPosts(3);
  assert.deepEqual(fake.posts.map(({ requests }) => requests.length), [2, 1, 1]);
  assert.deepEqual(fake.posts.map(({ init }) => Math.floor(init.body.length / mib)), [14, 7, 20]);
  for (const [i, post] of fake.posts.entries()) {
    post.answer(...post.requests.map((_, j) => created(`H:${i}.${j}`)));
  }
  assert.deepEqual((await Promise.all(calls)).map(({ handle }) => handle), ["H:0.0", "H:0.1", "H:1.0", "H:2.0"]);
  await client.close();
});

test("aborting a call aborts its POST, if that holds nothing else", { timeout }, async () => {
  type Calls = (client: GearmanClient, signal: AbortSignal) => Promise<unknown>;
  const calls: Record<string, Calls> = {
    "a job": (client, signal) => client.do("f", "x", { signal }).text(),
    "a job in the background": (client, signal) => client.doBackground("f", "x", { signal }),
    "a question": (client, signal) => client.jobStatus("H:1", { signal }),
    "two": (client, signal) => Promise.all([client.do("f", "x", { signal }).text(), client.do("f", "y", { signal })]),
  };
  for (const [name, call] of Object.entries(calls)) {
    for (const stage of ["waiting", "begun", "accepted"] as const) {
      const fake = new FakeFetch();
      const client = fake.client();
      const other = client.do("f", "other");
      const first = await fake.untilPosts(1);
      first.begin();
      first.send(created("H:1"));
      await other.created();
      const controller = new AbortController();
      const failed = assert.rejects(call(client, controller.signal), { name: "AbortError" });
      const post = await fake.untilPosts(2);
      if (stage !== "waiting") post.begin();
      if (stage === "accepted" && post.names[0] === "SUBMIT_JOB") {
        for (const i of post.requests.keys()) post.send(created(`H:2${i}`), encodeResponse(WORK_DATA, `H:2${i}`, "x"));
      }
      await turns();
      controller.abort();
      await failed;
      await until(() => post.init.signal.aborted);
      // The connection and the other job live on.
      const next = client.doBackground("f", "y");
      const later = await fake.untilPosts(3);
      later.answer(created("H:3"));
      assert.equal((await next).handle, "H:3", `${name}, ${stage}`);
      assert.equal(first.init.signal.aborted, false);
      first.send(encodeResponse(WORK_COMPLETE, "H:1", "done"));
      first.end();
      assert.equal(await other.text(), "done");
      await client.close();
    }
  }
});

test("a POST is not aborted while anything is wanted of it, however slow its consumer is", { timeout }, async () => {
  const fake = new FakeFetch();
  const client = fake.client();
  const controllers = [new AbortController(), new AbortController()];
  const jobs = controllers.map(({ signal }) => client.do("f", "x", { signal, unique: "u" }));
  const stored = client.doBackground("f", "y");
  const slow = client.do("f", "z");
  const post = await fake.untilPosts(1);
  post.begin();
  controllers[0]!.abort();
  await assert.rejects(async () => await jobs[0], { name: "AbortError" });
  post.send(created("H:1"), created("H:1"), created("H:2"));
  await stored;
  assert.equal(post.init.signal.aborted, false);
  controllers[1]!.abort();
  await assert.rejects(async () => await jobs[1], { name: "AbortError" });
  post.send(created("H:3"), encodeResponse(WORK_DATA, "H:3", pattern(400_000)));
  await slow.created();
  await turns(); // its consumer lags now, and nothing else waits
  assert.equal(post.init.signal.aborted, false);
  for await (const event of slow) {
    if (event.type === "data") break;
  }
  await until(() => post.init.signal.aborted);
  await client.close();
});

test("a POST of which all has come is read to its end", { timeout }, async () => {
  const fake = new FakeFetch();
  const client = fake.client();
  const job = client.do("f", "x");
  const stored = client.doBackground("f", "x");
  const post = await fake.untilPosts(1);
  post.begin();
  post.send(created("H:1"), created("H:2"), encodeResponse(WORK_COMPLETE, "H:1", "done"));
  assert.equal(await job.text(), "done");
  await stored;
  await turns();
  assert.equal(post.init.signal.aborted, false);
  post.end();
  await client.close();
});

test("a POST whose headers are not made yet is not sent after an abort", { timeout }, async () => {
  const fake = new FakeFetch();
  const headers = deferred<Record<string, string>>();
  const client = fake.client({ headers: () => headers.promise });
  const controller = new AbortController();
  const call = client.doBackground("f", "x", { signal: controller.signal });
  const failed = assert.rejects(call, { name: "AbortError" });
  await turns();
  controller.abort();
  await failed;
  await turns();
  headers.resolve({});
  await turns();
  assert.equal(fake.posts.length, 0);
  await client.close();
});

test("a job runs until its own POST says that it has ended, or was silent", { timeout }, async () => {
  for (const end of ["complete", "silent"] as const) {
    const fake = new FakeFetch();
    const client = fake.client();
    const job = client.do("f", "x");
    const post = await fake.untilPosts(1);
    post.begin();
    post.send(created("H:1"));
    await job.created();
    // The result is slower than the answer to a question after it.
    const result = encodeResponse(WORK_COMPLETE, "H:1", pattern(100_000));
    if (end === "complete") post.send(result.slice(0, 50_000));
    const ask = async () => {
      const asked = client.jobStatus("H:1");
      const question = await fake.untilPosts(fake.posts.length + 1);
      question.answer(encodeResponse(STATUS_RES, "H:1", "0", "0", "0", "0"));
      return (await asked).known;
    };
    assert.equal(await ask(), true);
    if (end === "complete") {
      post.send(result.slice(50_000));
      post.end();
      assert.deepEqual(await job.bytes(), pattern(100_000));
    } else {
      post.send(encodeResponse(NOOP));
      await turns();
      assert.equal(await ask(), true);
      const lost = assert.rejects(async () => await job, (error) => {
        return error instanceof ConnectionError && error.delivery === "accepted";
      });
      post.send(encodeResponse(NOOP));
      await lost;
      await until(() => post.init.signal.aborted);
    }
    assert.equal(await ask(), false);
    await client.close();
  }
});

test("a result over maxPacketSize fails its job alone, and is not kept", { timeout }, async () => {
  const fake = new FakeFetch();
  const client = new GearmanClient({ dial: dialFetch(URL, { fetch: fake.fetch }), maxPacketSize: 1_000 });
  const jobs = [client.do("f", "1"), client.do("f", "2")];
  const echoed = client.echo("x");
  const post = await fake.untilPosts(1);
  post.begin();
  post.send(created("H:1"), created("H:2"));
  const failed = assert.rejects(async () => await jobs[0], /over maxPacketSize, 1000/);
  const large = pattern(200_000);
  post.send(encodeResponse(ECHO_RES, large), encodeResponse(WORK_COMPLETE, "H:1", large));
  post.send(encodeResponse(WORK_COMPLETE, "H:2", "2"));
  post.end();
  await assert.rejects(echoed, /over maxPacketSize, 1000/);
  await failed;
  assert.equal(await jobs[1]!.text(), "2");
  const next = client.do("f", "3");
  const last = await fake.untilPosts(2);
  last.begin();
  last.send(created("H:3"), encodeResponse(STATUS_RES, "x".repeat(2_000), "0", "0", "0", "0"));
  await assert.rejects(async () => await next, (error) => {
    return error instanceof ConnectionError && error.delivery === "accepted";
  });
  await client.close();
});

test("a worker cannot work over fetch, and hears it", { timeout }, async () => {
  const fake = new FakeFetch();
  const errors: Error[] = [];
  const worker = new GearmanWorker({
    dial: dialFetch(URL, { fetch: fake.fetch }),
    onEvent: (event) => {
      if (event.type === "error") errors.push(event.error);
    },
  });
  worker.addFunction("f", () => "");
  worker.run().catch(() => {});
  await until(() => errors.length > 0);
  assert.match(errors[0]!.message, /Cannot send CAN_DO over fetch|over fetch/);
  assert.equal(fake.posts.length, 0);
  await worker.close();
});

test("jobs survive when a reader pauses: answers wait, and nothing is lost", { timeout }, async () => {
  const fake = new FakeFetch();
  const client = fake.client();
  const job = client.do("f", "x");
  const post = await fake.untilPosts(1);
  post.begin();
  post.send(created("H:1"));
  const piece = pattern(500_000);
  for (let i = 0; i < 20; i++) post.send(encodeResponse(WORK_DATA, "H:1", piece));
  post.send(encodeResponse(WORK_COMPLETE, "H:1", ""));
  post.end();
  let size = 0;
  for await (const event of job) {
    if (event.type === "data") {
      size += event.data.length;
      await turns(1);
    }
  }
  assert.equal(size, 20 * 500_000);
  await client.close();
});

test("a reply that arrives inside a long packet of another POST waits for its end", { timeout }, async () => {
  const fake = new FakeFetch();
  const client = fake.client();
  const job = client.do("f", "x");
  const one = await fake.untilPosts(1);
  const bytes = pattern(200_000);
  const result = encodeResponse(WORK_COMPLETE, "H:1", bytes);
  one.begin();
  one.send(created("H:1"), result.slice(0, 100_000));
  await job.created();
  const other = client.doBackground("f", "y");
  const two = await fake.untilPosts(2);
  two.answer(created("H:2"));
  await turns();
  one.send(result.slice(100_000));
  one.end();
  assert.deepEqual(await job.bytes(), bytes);
  assert.equal((await other).handle, "H:2");
  await client.close();
});
