/** A connection in the raw, for tests of servers: bytes go out, and all that comes back is seen, packets and text. */

import { encodeRequest, packetName, PacketType } from "../../src/codec/mod.ts";
import type { PacketInput } from "../../src/codec/mod.ts";
import type { Transport } from "../../src/connection/mod.ts";

/** Bytes as a string of as many characters, and back: what comes may be text, packets, or cut anywhere. */
export const latin1 = (bytes: Uint8Array): string => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
export const bytes = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** One request; strings are sent as UTF-8. */
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

  /** Sends, each character as a byte. */
  async send(...parts: string[]): Promise<void> {
    await this.#transport.write(bytes(parts.join("")));
  }

  /**
   * Everything that has come until now. An ECHO_REQ finds out when: its answer comes behind all that the server has for
   * this connection. On a connection that the server closes, everything there was, and then "(end)".
   */
  async sync(): Promise<string> {
    const token = `barrier ${++this.#barriers}`;
    const answer = `\0RES\0\0\0\x11\0\0\0${String.fromCharCode(token.length)}${token}`;
    await this.send(request(PacketType.ECHO_REQ, token)).catch(() => {});
    return await this.until((received) => received.endsWith(answer)).then((all) => all.replace(answer, ""));
  }

  /** Everything that comes until the predicate holds for it, or the connection ends. */
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

/** What was received, for people: `[JOB_CREATED H:box:1]` for a packet, with `|` for its NULs; text as `mask` has it. */
export function readable(received: string, mask: (text: string) => string = (text) => text): string {
  let [all, text] = ["", ""];
  const addText = () => {
    all += JSON.stringify(mask(text)).slice(1, -1);
    text = "";
  };
  for (let at = 0; at < received.length;) {
    if (!/^\0RE[QS]/.test(received.slice(at, at + 4)) || received.length - at < 12) {
      text += received[at++];
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
