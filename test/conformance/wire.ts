/** A raw connection for tests of servers: it sends any bytes, and shows everything that it receives, packets and text. */

import { encodeRequest, packetName, PacketType } from "../../src/codec/mod.ts";
import type { PacketInput } from "../../src/codec/mod.ts";
import type { Transport } from "../../src/connection/mod.ts";

/** Bytes to a string with one character for each, and back: received bytes may be text or packets, cut anywhere. */
export const latin1 = (bytes: Uint8Array): string => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
export const bytes = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** Encodes one request; strings are sent as UTF-8. */
export function request<T extends PacketType>(type: T, ...args: PacketInput<T>): string {
  return latin1(encodeRequest(type, ...args));
}

/** One raw connection. */
export class Wire {
  readonly #transport: Transport;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #received = "";
  #ended = false;
  #barriers = 0;

  constructor(transport: Transport) {
    this.#transport = transport;
    this.#chunks = transport[Symbol.asyncIterator]();
  }

  /** Sends each character as a byte. */
  async send(...parts: string[]): Promise<void> {
    await this.#transport.write(bytes(parts.join("")));
  }

  /**
   * Returns everything received up to the answer of an ECHO_REQ: that answer follows everything that the server has sent
   * before. If the server closes the connection, it returns everything received, and "(end)".
   */
  async sync(): Promise<string> {
    this.#barriers += 1;
    const token = `barrier ${this.#barriers}`;
    const answer = `\0RES\0\0\0\x11\0\0\0${String.fromCharCode(token.length)}${token}`;
    await this.send(request(PacketType.ECHO_REQ, token)).catch(() => {});
    return await this.until((received) => received.endsWith(answer)).then((all) => all.replace(answer, ""));
  }

  /** Returns everything received when the predicate holds for it, or when the connection has ended. */
  async until(predicate: (received: string) => boolean): Promise<string> {
    while (!this.#ended && !predicate(this.#received)) {
      const { done, value } = await this.#chunks.next().catch(() => ({ done: true, value: undefined }));
      if (done === true) this.#ended = true;
      else this.#received += latin1(value!);
    }
    const received = this.#received + (this.#ended ? "(end)" : "");
    this.#received = "";
    return received;
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }
}

/** Makes received bytes readable: `[JOB_CREATED H:box:1]` for a packet, with `|` for its NULs, and text as `mask` returns it. */
export function readable(received: string, mask: (text: string) => string = (text) => text): string {
  let all = "";
  let text = "";
  const addText = () => {
    all += JSON.stringify(mask(text)).slice(1, -1);
    text = "";
  };
  let at = 0;
  while (at < received.length) {
    if (!/^\0RE[QS]/.test(received.slice(at, at + 4)) || received.length - at < 12) {
      text += received[at];
      at += 1;
      continue;
    }
    addText();
    const number = (offset: number) =>
      bytes(received.slice(at + offset, at + offset + 4)).reduce((sum, byte) => sum * 256 + byte, 0);
    const body = received.slice(at + 12, at + 12 + number(8));
    const args = JSON.stringify(body.replaceAll("\0", "|")).slice(1, -1);
    all += `[${packetName(number(4))}${args === "" ? "" : ` ${args}`}]`;
    at += 12 + body.length;
  }
  addText();
  return all;
}
