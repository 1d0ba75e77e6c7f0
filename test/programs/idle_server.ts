/** A program that connects in every way, closes the server before its clients, and must then end. */

import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { PacketType } from "../../src/codec/mod.ts";
import { dialTcp } from "../../src/connection/mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import { SERVER_CERT, SERVER_KEY } from "../support/certificates.ts";
import { request, Wire } from "../conformance/wire.ts";

const server = new JobServer();
const tls = await server.listen({ tls: { cert: SERVER_CERT, key: SERVER_KEY } });
const addresses = [
  await server.listen(),
  await server.listen({ path: join(tmpdir(), `gearwire-${process.pid}.sock`) }),
];
const wires = [new Wire(await server.dial(tls, {}))];
for (const address of addresses) wires.push(new Wire(await dialTcp()(address, {})));
for (const wire of wires) {
  await wire.send(request(PacketType.CAN_DO_TIMEOUT, "f", "3600000"), request(PacketType.SUBMIT_JOB_BG, "f", "", ""));
  await wire.send(request(PacketType.SUBMIT_JOB_EPOCH, "f", "", "99999999999", ""), request(PacketType.GRAB_JOB));
  await wire.sync();
}
const silent = connect(tls.port, "127.0.0.1"); // never begins its TLS handshake
await new Promise<void>((resolve) => silent.once("connect", () => resolve()));
silent.unref();
await server.close();
for (const wire of wires) await wire.close();
