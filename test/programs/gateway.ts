// Runs a gateway in front of a job server, behind a server of `ws`, and prints its URL. It does not allow functions with
// the prefix "forbidden", or questions about handles. SIGTERM ends it.
// `gateway.ts SERVER`

import process from "node:process";
import { Gateway } from "../../src/gateway/mod.ts";
import { startWebSocketServer } from "../support/web_sockets.ts";

const gateway = new Gateway({
  servers: process.argv[2],
  allow(call) {
    if (call.kind === "status") return call.handle === undefined || "Ask with an id of your own";
    return !call.functionName.startsWith("forbidden");
  },
});
const server = await startWebSocketServer((socket, request) => {
  gateway.accept(socket, { request });
});
process.stdout.write(`${server.url}\n`);
process.once("SIGTERM", async () => {
  await gateway.close();
  await server.stop();
  process.exit();
});
