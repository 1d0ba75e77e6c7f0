/** Real WebSockets: a server of `ws` on an unused port, and the clients that the runtime has. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import ws, { type WebSocket as ServerWebSocket, WebSocketServer } from "ws";
import type { WebSocketLike } from "../../src/connection/mod.ts";

/** The WebSocket of the runtime, or that of `ws` on Node 20, which has none. */
export const ClientWebSocket: new (url: string, protocol?: string) => WebSocketLike =
  (globalThis as { WebSocket?: typeof WebSocket }).WebSocket ?? ws as unknown as typeof WebSocket;

/** A server that passes on each WebSocket. */
export interface TestWebSocketServer {
  readonly url: string;
  /** Closes the server and all sockets at once. */
  stop(): Promise<void>;
}

/** Starts a server; if a client offers subprotocols, it selects the first one. */
export async function startWebSocketServer(
  serve: (socket: ServerWebSocket, request: Request) => void,
): Promise<TestWebSocketServer> {
  const sockets = new WebSocketServer({ noServer: true });
  const server = createServer();
  server.on("upgrade", (message, stream, head) => {
    const headers = Object.entries(message.headers).map(([name, value]) => [name, String(value)] as [string, string]);
    const request = new Request(new URL(message.url!, "http://127.0.0.1"), { headers });
    sockets.handleUpgrade(message, stream, head, (socket) => serve(socket, request));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
