/** Plays scripts against a server, and writes down what each connection got after each step. */

import { hostname } from "node:os";
import { dialTcp } from "../../src/connection/mod.ts";
import type { Transport } from "../../src/connection/mod.ts";
import { startGearmand } from "../support/gearmand.ts";
import type { Script } from "./scripts.ts";
import { bytes, readable, Wire } from "./wire.ts";

/** A server that a script can be played against; scripts are written for handles that begin with "H:". */
export interface Stage {
  connect(): Promise<Transport>;
  readonly handlePrefix: string;
}

/** A gearmand for one script. */
export async function startStage({ args = [] }: Script): Promise<Stage & { stop(): Promise<void> }> {
  const { port, stop } = await startGearmand({ args: ["--verbose=INFO", ...args] });
  const connect = async () => await dialTcp()({ hostname: "127.0.0.1", port }, {});
  return { connect, handlePrefix: `H:${hostname()}`, stop };
}

/** What happened, a line for each answer: the step, who got it, what. */
export async function play({ steps }: Script, stage: Stage): Promise<string[]> {
  const wires = new Map<string, Wire>();
  const log: string[] = [];
  const watcher = new Wire(await stage.connect());
  await ended(watcher, 0);
  for (const [index, [name, ...parts]] of steps.entries()) {
    let wire = wires.get(name);
    if (wire === undefined) wires.set(name, wire = new Wire(await stage.connect()));
    if (parts[0] === null) {
      await wire.close();
      wires.delete(name);
      await ended(watcher, wires.size);
    } else {
      await wire.send(...(parts as string[]).map((part) => withPrefix(part, stage.handlePrefix)));
    }
    // First the one that has spoken: when it is answered, everything is on its way that the others get of it.
    for (const [other, wire] of [...wires].sort(([a]) => a === name ? -1 : 0)) {
      const received = await wire.sync();
      if (received !== "") log.push(`${index + 1} ${other}: ${masked(received, stage.handlePrefix)}`);
      if (received.endsWith("(end)")) wires.delete(other);
    }
  }
  for (const wire of [watcher, ...wires.values()]) await wire.close();
  return log;
}

/** Waits until the server has noticed that a connection has ended: `workers` lists all, the watcher too. */
async function ended(watcher: Wire, left: number): Promise<void> {
  for (let lines = Infinity; lines > left + 1;) {
    await watcher.send("workers\n");
    lines = (await watcher.sync()).split("\n").length - 2;
  }
}

/** Makes the server's handles of those in a script; the length in the header of their packet has to follow. */
function withPrefix(part: string, prefix: string): string {
  const full = part.replace(/H:(?=\d)/, `${prefix}:`);
  if (full === part || !part.startsWith("\0RE")) return full;
  return full.slice(0, 11) + String.fromCharCode(bytes(part)[11]! + full.length - part.length) + full.slice(12);
}

/** File descriptors, versions and process ids differ; so does the order of lists, which gearmand keeps hashed. */
function masked(received: string, prefix: string): string {
  const sorted = received
    .replace(/\d+ (?:127\.0\.0\.1|-) (?=.* :)/g, "FD IP ")
    .replace(/(?:FD IP .*\n)+|(?:[^\n\0]*(?:\t\d+)+\n)+/g, (list) => list.split(/(?<=\n)/).sort().join(""));
  return readable(sorted).replaceAll(`${prefix}:`, "H:").replace(/OK \d[\w.+-]*\\n/g, "OK NUMBER\\n");
}
