/** Plays scripts against a server, and writes down what each connection got after each step. */

import { hostname } from "node:os";
import { dialTcp } from "../../src/connection/mod.ts";
import type { Transport } from "../../src/connection/mod.ts";
import { JobServer } from "../../src/server/mod.ts";
import { startGearmand } from "../support/gearmand.ts";
import { type Script, SILENT, SOON, UNTIL, WAIT } from "./script.ts";
import { bytes, readable, Wire } from "./wire.ts";

/** A server that a script can be played against; scripts are written for handles that begin with "H:". */
interface Stage {
  connect(): Promise<Transport>;
  readonly handlePrefix: string;
}

/** What a gearmand answers to a script; each has one of its own. */
export async function playOnGearmand(script: Script): Promise<string[]> {
  const { port, stop } = await startGearmand({ args: ["--verbose=INFO", ...script.args ?? []] });
  try {
    const connect = async () => await dialTcp()({ hostname: "127.0.0.1", port }, {});
    return await play(script, { connect, handlePrefix: `H:${hostname()}` });
  } finally {
    await stop();
  }
}

/** What a JobServer answers. */
export async function playOnJobServer(script: Script): Promise<string[]> {
  const server = new JobServer({ ...script.options, handlePrefix: "H" });
  // The timers of a server in memory do not keep a test alive.
  const alive = setInterval(() => {}, 1_000);
  try {
    const connect = () => Promise.resolve(server.dial({ hostname: "", port: 0 }, {}));
    return await play(script, { connect, handlePrefix: "H" });
  } finally {
    clearInterval(alive);
    await server.close();
  }
}

/** What a JobServer answers to each of these scripts; all are played when the first is asked for: some wait for seconds. */
export function playedTogether<Each extends Script>(scripts: readonly Each[]): (script: Each) => Promise<string[]> {
  let played: Map<Each, Promise<string[]>> | undefined;
  return (script) => {
    played ??= new Map(scripts.map((each) => [each, playOnJobServer(each)]));
    for (const answers of played.values()) answers.catch(() => {}); // it is the test of that script that fails
    return played.get(script)!;
  };
}

/** What happened, a line for each answer: the step, who got it, what. */
async function play({ steps }: Script, stage: Stage): Promise<string[]> {
  const wires = new Map<string, Wire>();
  const silent = new Set<string>();
  const log: string[] = [];
  const hear = (step: number, name: string, received: string) => {
    if (received !== "") log.push(`${step + 1} ${name}: ${masked(received, stage.handlePrefix)}`);
    if (received.endsWith("(end)")) wires.delete(name);
  };
  const watcher = new Wire(await stage.connect());
  await ended(watcher, 0);
  for (const [index, [name, ...given]] of steps.entries()) {
    let wire = wires.get(name);
    if (wire === undefined) {
      const transport = await stage.connect().catch(() => undefined);
      if (transport === undefined) {
        hear(index, name, "(end)");
        continue;
      }
      wires.set(name, wire = new Wire(transport));
    }
    const parts = (given as string[]).map((part) => part && onStage(part, stage.handlePrefix));
    if (given[0] === null) {
      await wire.close();
      wires.delete(name);
      await ended(watcher, wires.size);
    } else if (given[0] === WAIT) {
      hear(index, name, await wire.until((received) => received !== ""));
    } else if (given[0] === SILENT) {
      await wire.send(...parts.slice(1));
      silent.add(name);
    } else if (given[0] === UNTIL) {
      const [_, request, sought] = parts;
      for (let answer = ""; answer === "";) {
        await wire.send(request!);
        answer = await wire.sync();
        if (readable(answer).includes(JSON.stringify(sought).slice(1, -1)) || answer.endsWith("(end)")) {
          hear(index, name, answer);
        } else {
          answer = "";
          await new Promise((resolve) => setTimeout(resolve, 5)); // a server in memory has timers only meanwhile
        }
      }
    } else {
      await wire.send(...parts).catch(() => {}); // to one that is closed; it hears of that
    }
    // First the one that has spoken: when it is answered, everything is on its way that the others get of it.
    for (const [other, wire] of [...wires].sort(([a]) => a === name ? -1 : 0)) {
      if (!silent.has(other)) hear(index, other, await wire.sync());
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

/** Puts in what is known only now: an epoch, and the server's handles; these are longer, and so is their packet. */
function onStage(part: string, prefix: string): string {
  const timed = part.replace(SOON, String(Math.ceil(Date.now() / 1_000) + 1));
  if (part.split(/H:\d/).length > 2) throw new Error("A part of a step holds one handle at most");
  const full = timed.replace(/H:(?=\d)/, `${prefix}:`);
  if (full.length === part.length || !part.startsWith("\0RE")) return full;
  return full.slice(0, 11) + String.fromCharCode(bytes(part)[11]! + full.length - part.length) + full.slice(12);
}

/** File descriptors, versions and process ids differ; so does the order of lists, which gearmand keeps hashed. */
function masked(received: string, prefix: string): string {
  const mask = (text: string) =>
    text
      .replace(/\d+ (?:127\.0\.0\.1|-) (?=.* :)/g, "FD IP ")
      .replace(/(?:FD IP .*\n)+|(?:[^\n]*(?:\t\d+)+\n)+/g, (list) => list.split(/(?<=\n)/).sort().join(""))
      .replace(/^OK \d[\w.+-]*$/gm, "OK NUMBER");
  return readable(received, mask).replaceAll(`${prefix}:`, "H:");
}
