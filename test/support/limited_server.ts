// A job server that does not know some requests, and a worker's way to it.

import type { Dial, Transport } from "../../mod.ts";
import { encodeRequest, PacketDecoder, PacketType } from "../../src/codec/mod.ts";
import { JobServer } from "../../src/server/mod.ts";

/** What a server does with a request that it does not know. */
export type Reaction = "ERROR" | "silence" | "end";

/** A job server whose workers meet a limited one, and whose clients a complete one. */
export interface LimitedServer extends AsyncDisposable {
  /** Dials it as a server that does not know the requests. */
  readonly limited: Dial;
  /** Dials it as it is. */
  readonly complete: Dial;
  /** Number of connections of the limited kind. */
  readonly connections: number;
  /** The types of the requests that it did not know, in the order in which they came. */
  readonly unknown: readonly PacketType[];
}

/** Makes a server that does not know these requests. */
export function limitServer(requests: readonly PacketType[], reaction: Reaction): LimitedServer {
  const server = new JobServer();
  const unknown: PacketType[] = [];
  let connections = 0;
  const limited: Dial = async (address, options) => {
    connections += 1;
    return limitTransport(await server.dial(address, options), requests, reaction, unknown);
  };
  return {
    limited,
    complete: server.dial,
    unknown,
    get connections() {
      return connections;
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

/**
 * Passes on the requests that the server knows. In the place of another one it lets the server answer with ERROR, which
 * SUBMIT_JOB with a unique of 65 bytes does in order with all other answers; or nothing; or it ends the connection once
 * the server has answered what came before.
 */
function limitTransport(
  transport: Transport,
  requests: readonly PacketType[],
  reaction: Reaction,
  unknown: PacketType[],
): Transport {
  const decoder = new PacketDecoder();
  let ended = false;
  return {
    async write(bytes) {
      decoder.push(bytes.slice());
      for (const { type, args } of decoder) {
        if (ended) return;
        if (!requests.includes(type)) {
          await transport.write(encodeRequest(type, ...args as never));
          continue;
        }
        unknown.push(type);
        if (reaction === "ERROR") await transport.write(encodeRequest(PacketType.SUBMIT_JOB, "f", "u".repeat(65), ""));
        if (reaction === "end") {
          ended = true;
          await new Promise((resolve) => setTimeout(resolve, 0)); // the answers to what came before are on their way
          await transport.close();
        }
      }
    },
    close: () => transport.close(),
    [Symbol.asyncIterator]: () => transport[Symbol.asyncIterator](),
  };
}
