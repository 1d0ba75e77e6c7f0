/** The requests that a gateway lets through: each packet of a client is read and checked before a byte of it is sent. */

import { ProtocolError } from "../errors.ts";
import { messageOf } from "../internal/text.ts";
import { type Packet, packetName, PacketType } from "../codec/packet.ts";
import { checkFunctionName, checkHandle, checkUnique } from "../connection/arguments.ts";

/**
 * A call of a client that the option `allow` of a gateway decides about: the submission of a job, or the question about
 * the status of one, by its handle or by its unique.
 */
export type GatewayCall =
  | {
    /** Whether the client waits for the result. */
    readonly kind: "foreground" | "background";
    readonly functionName: string;
    /**
     * Key by which jobs of the function coalesce; empty for none, and `-` for the workload. A client that submits with the
     * unique of another client's job receives its result, and discards the queued job when it leaves, even one in the
     * background (gearmand 1.1.20 and 2.0.0). Uniques that can be guessed should be bound to the user, for example by a
     * prefix.
     */
    readonly unique: string;
    /**
     * Size of the workload in bytes. gearmand 1.1.20 and 2.0.0 with `-q libsqlite3` do not start again while a background
     * job with an empty workload is queued: with such a queue, refuse a size of 0.
     */
    readonly size: number;
  }
  | { readonly kind: "status"; readonly handle: string; readonly unique?: undefined }
  | { readonly kind: "status"; readonly unique: string; readonly handle?: undefined };

/** A request that may be passed on. */
export interface ClientRequest {
  readonly packet: Packet;
  /** What has to be allowed; absent for the requests that every client may make. */
  readonly call?: GatewayCall;
  /** Size in bytes of its last argument, as the client has sent it. */
  readonly size: number;
}

/** Room in a packet for everything but the workload, in bytes. */
export const MAX_NAMES = 2_048;

const utf8Decoder = /* @__PURE__ */ new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads a packet of a client; returns `undefined` for one that is not passed on.
 *
 * gearmand 1.1.20 and 2.0.0 never answer a status request for 64 bytes or more, or an epoch over 64 bits, and corrupt a
 * unique of 64 bytes. Without a reply all later replies of the connection would belong to the wrong requests.
 *
 * @throws {ProtocolError} A client does not send such a packet.
 */
export function readRequest(packet: Packet): ClientRequest | undefined {
  try {
    if (packet.magic !== "REQ") throw new TypeError("it is a response");
    return readChecked(packet);
  } catch (error) {
    throw new ProtocolError(`Cannot pass on ${packetName(packet.type)}: ${messageOf(error)}`);
  }
}

function readChecked(packet: Packet): ClientRequest | undefined {
  const size = packet.oversized ?? packet.args.at(-1)?.length ?? 0;
  switch (packet.type) {
    case PacketType.SUBMIT_JOB:
    case PacketType.SUBMIT_JOB_HIGH:
    case PacketType.SUBMIT_JOB_LOW:
      return { packet, size, call: readSubmission("foreground", packet.args, size) };
    case PacketType.SUBMIT_JOB_BG:
    case PacketType.SUBMIT_JOB_HIGH_BG:
    case PacketType.SUBMIT_JOB_LOW_BG:
      return { packet, size, call: readSubmission("background", packet.args, size) };
    case PacketType.SUBMIT_JOB_EPOCH:
      if (!/^\d{1,15}$/.test(readName(packet.args[2]))) throw new RangeError("the epoch must have 1 to 15 digits");
      return { packet, size, call: readSubmission("background", packet.args, size) };
    case PacketType.SUBMIT_REDUCE_JOB:
    case PacketType.SUBMIT_REDUCE_JOB_BACKGROUND: {
      const kind = packet.type === PacketType.SUBMIT_REDUCE_JOB ? "foreground" : "background";
      checkUnique(readName(packet.args[2])); // gearmand bounds the reducer as it bounds a unique
      if (packet.args[3].length > 0) throw new RangeError("the aggregator must be empty");
      return { packet, size, call: readSubmission(kind, packet.args, size) };
    }
    case PacketType.GET_STATUS: {
      const handle = readName(packet.args[0]);
      checkHandle(handle);
      return { packet, size, call: { kind: "status", handle } };
    }
    case PacketType.GET_STATUS_UNIQUE: {
      const unique = readName(packet.args[0]);
      checkUnique(unique);
      return { packet, size, call: { kind: "status", unique } };
    }
    case PacketType.OPTION_REQ:
      if (readName(packet.args[0]) !== "exceptions") throw new RangeError('only "exceptions" is an option of clients');
      return { packet, size };
    case PacketType.ECHO_REQ:
      return { packet, size };
    case PacketType.SET_CLIENT_ID:
      return undefined; // it would stand in the list of workers, unchecked
    default:
      throw new TypeError("a client does not send it");
  }
}

function readSubmission(
  kind: "foreground" | "background",
  [functionName, unique]: readonly [Uint8Array, Uint8Array, ...Uint8Array[]],
  size: number,
): GatewayCall {
  const call = { kind, functionName: readName(functionName), unique: readName(unique), size };
  checkFunctionName(call.functionName);
  checkUnique(call.unique);
  return call;
}

/** Reads a name as UTF-8. Bytes that are none would look to `allow` like those of another name. */
function readName(bytes: Uint8Array): string {
  return utf8Decoder.decode(bytes);
}
