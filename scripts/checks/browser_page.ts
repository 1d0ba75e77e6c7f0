/** The page that `scripts/checks/browser.ts` opens in Chromium. It reports the result of each check to its server. */

import { type Duplex, fromStreams, GearmanClient } from "@gearwire/gearman";
import { PacketDecoder, PacketEncoder, PacketType } from "@gearwire/gearman/codec";

/** Chromium's WebSocket with streams, which TypeScript does not declare yet. */
declare class WebSocketStream {
  constructor(url: string);
  readonly opened: Promise<Duplex>;
}

const BRIDGE = `ws://${location.host}/bridge`;

/** The ways to get streams from a WebSocket. */
const OPENERS: Record<string, () => Promise<Duplex>> = {
  "WebSocketStream": () => new WebSocketStream(BRIDGE).opened,
  "WebSocket": () => openStreams(new WebSocket(BRIDGE)),
};

/** Opens a WebSocket, and wraps it in streams, as any browser can. */
function openStreams(socket: WebSocket): Promise<Duplex> {
  socket.binaryType = "arraybuffer";
  const readable = new ReadableStream<ArrayBuffer>({
    start(controller) {
      socket.onmessage = ({ data }) => controller.enqueue(data);
      socket.onclose = () => controller.close();
    },
  });
  const writable = new WritableStream<Uint8Array>({
    write: (bytes) => socket.send(bytes as Uint8Array<ArrayBuffer>),
  });
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve({ readable, writable, close: () => socket.close() });
    socket.onerror = () => reject(new Error("Cannot connect to the bridge"));
  });
}

await check("the codec reads what it wrote, byte by byte", () => {
  const encoder = new PacketEncoder("REQ");
  encoder.write(PacketType.SUBMIT_JOB, "reverse", "", "Grüße");
  encoder.write(PacketType.ECHO_REQ, new Uint8Array([0, 1, 255]));
  const decoder = new PacketDecoder();
  const packets = [];
  for (const byte of encoder.take().flatMap((bytes) => [...bytes])) {
    decoder.push(new Uint8Array([byte]));
    packets.push(...decoder);
  }
  equal(packets.map(({ type }) => type), [PacketType.SUBMIT_JOB, PacketType.ECHO_REQ]);
  equal(packets[0]!.args.map((bytes) => new TextDecoder().decode(bytes)), ["reverse", "", "Grüße"]);
  equal([...packets[1]!.args[0]!], [0, 1, 255]);
});

for (const [name, open] of Object.entries(OPENERS)) {
  const dial = async () => fromStreams(await open());
  await check(`the data of a foreground job arrives while the job runs, over a ${name}`, async () => {
    await using client = new GearmanClient({ dial });
    const reader = client.do("count", "3").stream().pipeThrough(new TextDecoderStream()).getReader();
    for (let i = 1; i <= 3; i++) {
      equal((await reader.read()).value, `line ${i}\n`);
      await fetch("/open", { method: "POST" }); // the job goes on only after its line has arrived
    }
    equal((await reader.read()).done, true);
  });
  await check(`a megabyte is sent and comes back unchanged, over a ${name}`, async () => {
    await using client = new GearmanClient({ dial });
    const bytes = new Uint8Array(1 << 20).map((_, i) => i * 7);
    const result = await new Response(await client.do("same", bytes).bytes()).bytes();
    equal(result.length, bytes.length);
    equal(result.every((byte, i) => byte === bytes[i]), true);
  });
}

await check("a client without a dial function asks for one", async () => {
  await using client = new GearmanClient();
  const error = await client.echo("x").then(() => undefined, (error) => error);
  equal(error.name, "ConnectionError");
  equal(/pass a dial function/.test(error.message), true, error.message);
});

await fetch("/end", { method: "POST" });

async function check(name: string, body: () => unknown): Promise<void> {
  let error = "";
  try {
    await body();
  } catch (thrown) {
    error = String(thrown);
  }
  await fetch("/report", { method: "POST", body: JSON.stringify({ name, error }) });
}

function equal(actual: unknown, expected: unknown, note = ""): void {
  const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (left !== right) throw new Error(`Expected ${right}, got ${left} ${note}`);
}
