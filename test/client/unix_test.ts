/** Tests of a client and a worker over a unix socket: a proxy listens there, since gearmand cannot. */

import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";
import { ConnectionError, GearmanClient, GearmanWorker } from "../../mod.ts";
import { withSocketServer } from "../support/socket_server.ts";
import { onEveryServer } from "../support/servers.ts";

onEveryServer("over a unix socket", (kind) => {
  test(
    "jobs, tokens and statuses work as over TCP, and its end is a lost connection",
    { timeout: 30_000 },
    async () => {
      const server = await kind.start();
      const serve = (socket: net.Socket) => {
        const inner = net.connect({ host: "127.0.0.1", port: server.port });
        inner.on("error", () => socket.destroy());
        socket.on("close", () => inner.destroy());
        socket.pipe(inner).pipe(socket);
      };
      let client!: GearmanClient;
      let held!: PromiseLike<unknown>;
      await withSocketServer(serve, async ({ path }) => {
        const servers = `unix:${path}`;
        await using worker = new GearmanWorker({ servers });
        worker.addFunction("echo", (job) => job.workload);
        worker.run();
        client = new GearmanClient({ servers, minBackoff: 1 });
        const sent = "x".repeat(300_000);
        assert.ok(await client.do("echo", sent).text() === sent);
        const job = await client.doBackground("waiting", "x");
        assert.equal(job.token, `unix:${path}//${job.handle};${job.unique}`);
        assert.equal((await client.jobStatus(`${job}`)).known, true);
        const waiting = client.do("waiting");
        await waiting.created();
        held = assert.rejects(
          waiting.text(),
          (error) => error instanceof ConnectionError && error.delivery === "accepted" && error.server === servers,
        );
      }, { unix: true });
      await held;
      await assert.rejects(
        client.doBackground("waiting", "x"),
        (error) => error instanceof ConnectionError && error.delivery === "not-sent",
      );
      await client.close();
      await server.stop();
    },
  );
}, { port: true });
