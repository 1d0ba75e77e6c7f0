/**
 * Measures a large result, from a server that sends it as fast as it is read: `large.ts ours|raw|kept SERVER BYTES`.
 */

import { connect } from "node:net";
import process from "node:process";
import { GearmanClient } from "../../../mod.ts";
import { encodeRequest, PacketType } from "../../../src/codec/mod.ts";
import { measure, portOf } from "./measure.ts";

const [what, server, count] = process.argv.slice(2) as [string, string, string];
const size = Number(count);

if (what === "ours") {
  const client = new GearmanClient(server);
  await client.echo(""); // waits for the connection
  await measure(1, async () => {
    if ((await client.do("large", "")).length !== size) throw new Error("The result is incomplete");
  });
  await client.close();
} else {
  const socket = connect({ port: portOf(server), host: "127.0.0.1", noDelay: true });
  await new Promise<void>((resolve) => socket.once("connect", resolve));
  await measure(1, () =>
    new Promise<void>((resolve) => {
      let read = 0;
      const kept = new Uint8Array(what === "kept" ? size + 4_096 : 0);
      socket.on("data", (chunk) => {
        if (what === "kept") kept.set(chunk, read);
        read += chunk.length;
        if (read > size) resolve();
      });
      socket.write(encodeRequest(PacketType.SUBMIT_JOB, "large", "", ""));
    }));
  socket.destroy();
}
