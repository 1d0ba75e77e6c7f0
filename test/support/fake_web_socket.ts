/** A WebSocket that a test controls: it records what is sent, and receives what the test says. */

import type { WebSocketLike } from "../../src/connection/mod.ts";

/** How a fake socket begins. */
export interface FakeWebSocketOptions {
  /** 0 while it is connecting, 1 while it is open, 3 when it is closed; default 1. */
  readonly readyState?: number;
  /** The subprotocol that the server has selected; default none. */
  readonly protocol?: string;
}

/** The socket of a transport that is tested. */
export class FakeWebSocket implements WebSocketLike {
  binaryType = "blob";
  readyState: number;
  protocol: string;
  bufferedAmount = 0;
  /** The messages that were sent, as texts and as copies of bytes. */
  readonly sent: (string | Uint8Array)[] = [];
  /** The arguments of each call of `close()`; "terminate" for a call of `terminate()`. */
  readonly closes: ([code?: number, reason?: string] | "terminate")[] = [];
  readonly #listeners: { readonly type: string; readonly listener: (event: never) => void }[] = [];

  constructor({ readyState = 1, protocol = "" }: FakeWebSocketOptions = {}) {
    this.readyState = readyState;
    this.protocol = protocol;
  }

  /** The bytes of all messages that were sent. */
  get sentSizes(): number[] {
    return this.sent.filter((message) => typeof message !== "string").map(({ length }) => length);
  }

  /** The texts that were sent. */
  get sentTexts(): string[] {
    return this.sent.filter((message) => typeof message === "string");
  }

  send(data: string | Uint8Array): void {
    if (this.readyState !== 1) throw new DOMException("readyState not OPEN", "InvalidStateError");
    this.sent.push(typeof data === "string" ? data : data.slice());
  }

  close(...args: [code?: number, reason?: string]): void {
    const [code = 1000] = args;
    if (code !== 1000 && !(code >= 3000 && code <= 4999)) throw new DOMException("code", "InvalidAccessError");
    this.closes.push(args);
    this.readyState = Math.max(this.readyState, 2);
  }

  terminate(): void {
    this.closes.push("terminate");
    this.readyState = 3;
  }

  addEventListener(type: string, listener: (event: never) => void): void {
    this.#listeners.push({ type, listener });
  }

  /** Opens the socket, with the subprotocol that the server has selected. */
  open(protocol = ""): void {
    this.readyState = 1;
    this.protocol = protocol;
    this.#dispatch("open", {});
  }

  /** Lets it receive messages. Bytes arrive as an ArrayBuffer. */
  receive(...messages: (string | Uint8Array)[]): void {
    for (const message of messages) {
      this.receiveData(typeof message === "string" ? message : message.slice().buffer);
    }
  }

  /** Lets it receive a message of any kind. */
  receiveData(data: unknown): void {
    this.#dispatch("message", { data });
  }

  /** Reports an error, as a socket does that cannot connect. */
  fail(message?: string): void {
    this.#dispatch("error", message === undefined ? {} : { message });
  }

  /** Ends the connection, as the peer does. */
  end(code: number, reason = ""): void {
    this.readyState = 3;
    this.#dispatch("close", { code, reason });
  }

  #dispatch(type: string, event: object): void {
    for (const each of this.#listeners) if (each.type === type) each.listener(event as never);
  }
}
