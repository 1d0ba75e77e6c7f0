/** Lines of the administrative text protocol: encoding them, and decoding them between packets. */

import { joinBytes } from "../internal/bytes.ts";
import { wholeNumber } from "../internal/checks.ts";
import { utf8Decoder, utf8Encoder } from "../internal/text.ts";
import { type DecoderOptions, MAX_UINT32, PacketDecoder, READ_LINE } from "./decoder.ts";
import type { Packet } from "./packet.ts";
import type { ReceivedBytes } from "./received_bytes.ts";

/** A line of the administrative text protocol, without its terminator (LF, or CR LF). */
export interface TextLine {
  /** Distinguishes a line from a packet. */
  readonly magic: "TEXT";
  /** The line, read as UTF-8. */
  readonly line: string;
}

/** Options of {@linkcode MixedDecoder}. */
export interface MixedDecoderOptions extends DecoderOptions {
  /** Maximum size of a text line in bytes, without its LF (a CR before that counts); default 8,192. */
  maxLineSize?: number | undefined;
}

const NUL = 0;
const LF = 10;
const CR = 13;

/** Default of `maxLineSize`, in bytes. */
const DEFAULT_MAX_LINE_SIZE = 8_192;

/**
 * Decodes a stream of packets and lines of the text protocol, as job servers and admin clients read it.
 *
 * A line begins with a byte other than NUL, and a packet with a NUL. A line that is too long is a `ProtocolError`.
 *
 * @example An answer, and the packet that follows it
 * ```ts
 * import { encodeLine, encodeResponse, MixedDecoder, PacketType } from "@gearwire/gearman/codec";
 *
 * const decoder = new MixedDecoder();
 * decoder.push(encodeLine("OK 1.1.20"));
 * decoder.push(encodeResponse(PacketType.NOOP));
 * for (const item of decoder) {
 *   console.log(item.magic === "TEXT" ? item.line : item.type); // OK 1.1.20, then 6
 * }
 * ```
 */
export class MixedDecoder extends PacketDecoder<Packet | TextLine> {
  /**
   * Makes a decoder.
   *
   * @throws {RangeError} `maxPacketSize` is not a whole number from 0 to 4,294,967,295, or `maxLineSize` not one from 1.
   */
  constructor(options: MixedDecoderOptions = {}) {
    const maxSize = wholeNumber(options, "maxLineSize", DEFAULT_MAX_LINE_SIZE, 1, MAX_UINT32);
    super({ ...options, [READ_LINE]: (received: ReceivedBytes) => readLine(received, maxSize) } as DecoderOptions);
  }
}

function readLine(received: ReceivedBytes, maxSize: number): TextLine | undefined {
  const { head, position: start, size, needed } = received;
  const found = head.subarray(0, start + size).indexOf(LF, start + needed - 1); // what was searched is not searched again
  const length = found === -1 ? size : found - start;
  if (length > maxSize) throw received.fail(`a line is over ${maxSize} bytes`);
  if (found === -1) {
    // How long a line is cannot be known: it is pulled in steps that double it, so that time stays linear.
    received.need(size + 1, 2 * size);
    return undefined;
  }
  // Before an empty line there may be the CR of a packet's end: the line is empty all the same.
  const end = head[found - 1] === CR ? found - 1 : found;
  received.drop(length + 1);
  return { magic: "TEXT", line: utf8Decoder.decode(head.subarray(start, end)) };
}

/**
 * Encodes one line of the text protocol with its terminator; a line that is given as bytes is not changed. With an empty
 * terminator it is the beginning of a longer line.
 *
 * @throws {TypeError} The line is neither string nor bytes.
 * @throws {RangeError} The line holds a line feed, or begins with a NUL, as packets do.
 *
 * @example A command, as bytes
 * ```ts
 * import { encodeLine } from "@gearwire/gearman/codec";
 *
 * const bytes = encodeLine("status");
 * ```
 */
export function encodeLine(line: string | Uint8Array, terminator: "" | "\n" | "\r\n" = "\r\n"): Uint8Array {
  const bytes = typeof line === "string" ? utf8Encoder.encode(line) : line;
  if (!(bytes instanceof Uint8Array)) throw new TypeError("Cannot encode a line: it must be a string or a Uint8Array");
  if (bytes.includes(LF)) throw new RangeError("Cannot encode a line: it holds a line feed");
  if (bytes[0] === NUL) throw new RangeError("Cannot encode a line: it begins with a NUL");
  return joinBytes([bytes, utf8Encoder.encode(terminator)], bytes.length + terminator.length);
}
