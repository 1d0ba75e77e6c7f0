/** Measures a client that reads a result as a stream, or, of 0 bytes, one that is idle: `stream.ts SERVER BYTES`. */

import process from "node:process";
import { GearmanClient } from "../../../mod.ts";
import { measure } from "./measure.ts";

const [server, count] = process.argv.slice(2) as [string, string];
const size = Number(count);
const client = new GearmanClient(server);
await client.echo(""); // waits for the connection
await measure(1, async () => {
  if (size === 0) return;
  let read = 0;
  const reader = client.do("stream").stream().getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) read += piece.value.length;
  if (read !== size) throw new Error("The result is incomplete");
});
await client.close();
