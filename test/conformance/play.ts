/** Plays scripts against a server, and logs what each connection receives after each step. */

import { hostname } from "node:os";
import { dialTcp } from "../../src/connection/mod.ts";
import type { Transport } from "../../src/connection/mod.ts";
import { type GearmandVersion, JobServer } from "../../src/server/mod.ts";
import { startGearmand } from "../support/gearmand.ts";
import { canDo, type Script, SILENT, SOON, UNTIL, WAIT } from "./script.ts";
import { bytes, readable, Wire } from "./wire.ts";

/** The function that a connection registers before it is closed. */
const OF_ENDING = "of_a_connection_that_ends";

/** A server that a script can be played against; scripts are written for handles that begin with "H:". */
interface Stage {
  connect(): Promise<Transport>;
  readonly handlePrefix: string;
}

/** Returns the answers of gearmand to a script. Each script has a gearmand of its own. */
export async function playOnGearmand(script: Script): Promise<string[]> {
  const { port, stop } = await startGearmand({ args: ["--verbose=INFO", ...script.args ?? []] });
  try {
    const connect = async () => await dialTcp()({ hostname: "127.0.0.1", port }, {});
    return await play(script, { connect, handlePrefix: `H:${hostname()}` });
  } finally {
    await stop();
  }
}

/** Returns the answers of a JobServer that answers as this version of gearmand. */
export async function playOnJobServer(script: Script, version: GearmandVersion): Promise<string[]> {
  const server = new JobServer({ ...script.options, version, handlePrefix: "H" });
  // Without this, a test that waits for an epoch would end: that timer does not keep the process alive.
  const alive = setInterval(() => {}, 1_000);
  try {
    const connect = () => Promise.resolve(server.dial({ hostname: "", port: 0 }, {}));
    return await play(script, { connect, handlePrefix: "H" });
  } finally {
    clearInterval(alive);
    await server.close();
  }
}

/** Returns a function for the answers of a JobServer. The first call plays all scripts together, because some take seconds. */
export function playedTogether<Each extends Script>(
  scripts: readonly Each[],
  version: GearmandVersion,
): (script: Each) => Promise<string[]> {
  let played: Map<Each, Promise<string[]>> | undefined;
  return (script) => {
    played ??= new Map(scripts.map((each) => [each, playOnJobServer(each, version)]));
    for (const answers of played.values()) answers.catch(() => {}); // only the test of that script is to fail
    return played.get(script)!;
  };
}

/** Plays a script; returns a line for each answer: the step, the connection, and what it received. */
async function play({ steps }: Script, stage: Stage): Promise<string[]> {
  const wires = new Map<string, Wire>();
  const silent = new Set<string>();
  const log: string[] = [];
  const addLine = (step: number, name: string, received: string) => {
    if (received !== "") log.push(`${step + 1} ${name}: ${masked(received, stage.handlePrefix)}`);
    if (received.endsWith("(end)")) wires.delete(name);
  };
  const watcher = new Wire(await stage.connect());
  await waitUntilAlone(watcher);
  for (const [index, [name, ...given]] of steps.entries()) {
    let wire = wires.get(name);
    if (wire === undefined) {
      const transport = await stage.connect().catch(() => undefined);
      if (transport === undefined) {
        addLine(index, name, "(end)");
        continue;
      }
      wire = new Wire(transport);
      wires.set(name, wire);
    }
    const parts = (given as string[]).map((part) => part && onStage(part, stage.handlePrefix));
    if (given[0] === null) {
      await end(wire, watcher);
      wires.delete(name);
    } else if (given[0] === WAIT) {
      addLine(index, name, await wire.until((received) => received !== ""));
    } else if (given[0] === SILENT) {
      await wire.send(...parts.slice(1));
      silent.add(name);
    } else if (given[0] === UNTIL) {
      const [_, request, sought] = parts;
      addLine(index, name, await askUntil(wire, request!, sought!));
    } else {
      await wire.send(...parts).catch(() => {}); // the server may have closed it: reading shows that
    }
    // The sender first: when it has its answer, everything that the others receive is on its way.
    for (const [other, wire] of [...wires].sort(([a]) => a === name ? -1 : 0)) {
      if (!silent.has(other)) addLine(index, other, await wire.sync());
    }
  }
  for (const wire of [watcher, ...wires.values()]) await wire.close();
  return log;
}

/** Sends a request again and again until its answer contains a text, or the connection ends. */
async function askUntil(wire: Wire, request: string, sought: string): Promise<string> {
  for (;;) {
    await wire.send(request);
    const answer = await wire.sync();
    if (readable(answer).includes(JSON.stringify(sought).slice(1, -1)) || answer.endsWith("(end)")) return answer;
    await new Promise((resolve) => setTimeout(resolve, 5)); // lets the timers of a server in memory fire
  }
}

/** Waits until the server lists no other connection: one asked for its process id before. */
async function waitUntilAlone(watcher: Wire): Promise<void> {
  let connections;
  do {
    await watcher.send("workers\n");
    connections = (await watcher.sync()).split("\n").length - 2;
  } while (connections > 1);
}

/**
 * Closes a connection, and waits until the server has let go of its functions and jobs. gearmand takes it from the list of
 * `workers` in the thread that reads it, before another thread does the rest. So it registers a function, which can be
 * dropped only after that.
 */
async function end(wire: Wire, watcher: Wire): Promise<void> {
  await wire.send(canDo(OF_ENDING));
  await wire.sync();
  await wire.close();
  do await watcher.send(`drop function ${OF_ENDING}\n`); while (await watcher.sync() !== "OK\r\n");
}

/** Fills in epochs and handles of the server. Its handles are longer, so the length of their packet changes, too. */
function onStage(part: string, prefix: string): string {
  const timed = part.replace(SOON, String(Math.ceil(Date.now() / 1_000) + 1));
  if (part.split(/H:\d/).length > 2) throw new Error("A part of a step must hold at most one handle");
  const full = timed.replace(/H:(?=\d)/, `${prefix}:`);
  if (full.length === part.length || !part.startsWith("\0RE")) return full;
  return full.slice(0, 11) + String.fromCharCode(bytes(part)[11]! + full.length - part.length) + full.slice(12);
}

/** Hides what differs: file descriptors, versions, process ids, and the order of lists, which gearmand keeps hashed. */
function masked(received: string, prefix: string): string {
  const mask = (text: string) =>
    text
      .replace(/\d+ (?:127\.0\.0\.1|-) (?=.* :)/g, "FD IP ")
      .replace(/(?:FD IP .*\n)+|(?:[^\n]*(?:\t\d+)+\n)+/g, (list) => list.split(/(?<=\n)/).sort().join(""))
      .replace(/^OK \d[\w.+-]*$/gm, "OK NUMBER");
  return readable(received, mask).replaceAll(`${prefix}:`, "H:");
}
