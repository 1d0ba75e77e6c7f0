// Leaves a client over a WebSocket of `ws` open: the process must still end by itself, with code 0.
// `idle_web_socket.ts URL`

import process from "node:process";
import ws from "ws";
import { fromWebSocket, GearmanClient } from "../../mod.ts";

/** The socket below a WebSocket of `ws`, which its types do not name. */
interface Socket {
  ref(): void;
  unref(): void;
}

const client = new GearmanClient({
  dial: () => {
    const socket = new ws(process.argv[2]!, "gearman");
    const inner = socket as unknown as { _socket?: Socket };
    return fromWebSocket(
      Object.assign(socket, { ref: () => inner._socket?.ref(), unref: () => inner._socket?.unref() }),
    );
  },
});
process.stdout.write(new TextDecoder().decode(await client.echo("hello")));
