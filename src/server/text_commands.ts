/** The text protocol, for administrators: a line is a command, answered with the exact bytes of gearmand. */

import type { TextLine } from "../codec/mod.ts";
import { leadingUint32, toLowerCase, toName } from "./names.ts";
import type { Peer } from "./peer.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { FunctionQueue, ServerJob } from "./model.ts";
import type { State } from "./state.ts";

const VERSION = "0.1.0-gearwire";
const [MAX_WORDS, MAX_LINE] = [5, 8_192];

/** Serves commands. A list ends with a line of one dot, a value with LF, and every other answer with CR LF. */
export class TextCommands {
  readonly #state: State;
  readonly #dispatcher: Dispatcher;
  readonly #peers: Iterable<Peer>;

  constructor(state: State, dispatcher: Dispatcher, peers: Iterable<Peer>) {
    this.#state = state;
    this.#dispatcher = dispatcher;
    this.#peers = peers;
  }

  /** Serves one line: words with blanks between them, of which the first is a command, in any case. */
  serve(peer: Peer, { line }: TextLine): void {
    // It was read as UTF-8; gearmand reads it as a string of C, in a buffer of so many bytes.
    const name = toName(new TextEncoder().encode(line));
    const [command = "", ...args] = name.split("\0", 1)[0]!.split(/ +/);
    if (args.length >= MAX_WORDS || name.length >= MAX_LINE) return void peer.drop();
    switch (toLowerCase(command)) {
      case "status":
        return this.#listFunctions(peer, ({ total, running, workers }) => [total, running, workers.length]);
      case "prioritystatus":
        return this.#listFunctions(peer, ({ queued, workers }) => [...queued, workers.length]);
      case "workers":
        return sendList(peer, Array.from(this.#peers, workerLine));
      case "version":
        return peer.sendLine(`OK ${VERSION}`, "\n");
      case "getpid":
        return peer.sendLine(`OK ${(globalThis as { process?: { pid: number } }).process?.pid ?? 0}`, "\n");
      case "verbose":
        return peer.sendLine("OK INFO", "\n");
      case "show":
        if (args.length > 0) return this.#show(peer, toLowerCase(args.join(" ")));
        break;
      case "cancel":
        if (args.length > 1) return peer.sendLine(this.#cancel(args));
        break;
      case "maxqueue":
        return peer.sendLine(args.length > 0 ? this.#setLimits(args) : `${INCOMPLETE}+maxqueue`);
      case "create":
      case "drop":
        return peer.sendLine(this.#createOrDrop(toLowerCase(command), args));
    }
    peer.sendLine(`ERR UNKNOWN_COMMAND Unknown+server+command${command}`);
  }

  #listFunctions(peer: Peer, columns: (queue: FunctionQueue) => number[]): void {
    const functions = this.#state.functions.values();
    sendList(peer, Array.from(functions, (queue) => [shown(queue.name), ...columns(queue)].join("\t")));
  }

  #show(peer: Peer, what: string): void {
    const jobs = this.#state.jobs.values();
    if (what === "unique jobs") return sendList(peer, Array.from(jobs, (job) => shown(job.details.unique)));
    if (what !== "jobs") return peer.sendLine("ERR UNKNOWN_SHOW_ARGUMENTS");
    sendList(peer, Array.from(jobs, jobLine));
  }

  #cancel([what, handle, ...more]: string[]): string {
    if (toLowerCase(what!) !== "job" || more.length > 0) return "ERR UNKNOWN_ERROR";
    const job = this.#state.jobs.get(handle!);
    if (job === undefined) return "ERR UNKNOWN_JOB";
    this.#dispatcher.cancel(job);
    return "OK";
  }

  /** One number is for all priorities, of more each is for its own; what is missing or below 1 is no limit. */
  #setLimits([name, ...numbers]: string[]): string {
    const [high = 0, normal = 0, low = 0] = numbers.map((number) => leadingUint32(number) | 0);
    const queue = this.#state.functions.get(name!);
    if (queue !== undefined) queue.limits = numbers.length > 1 ? [high, normal, low] : [high, high, high];
    return "OK"; // for an unknown function too, though nothing is kept of it
  }

  #createOrDrop(command: string, [what, name, ...more]: string[]): string {
    if (what === undefined || toLowerCase(what) !== "function" || name === undefined || more.length > 0) {
      return `${INCOMPLETE}+${command}`;
    }
    if (command === "create") {
      this.#state.addFunction(name);
      return "OK";
    }
    const isMeant = (queue: FunctionQueue) => toLowerCase(queue.name) === toLowerCase(name);
    const queue = this.#state.functions.get(name) ?? [...this.#state.functions.values()].find(isMeant);
    if (queue === undefined) return "ERR function not found";
    return this.#state.dropFunction(queue) ? "OK" : "ERR there are still connected workers or executing clients";
  }
}

const INCOMPLETE = "ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command";

function sendList(peer: Peer, lines: string[]): void {
  for (const line of [...lines, "."]) peer.sendLine(line, "\n");
}

const jobLine = ({ handle, retries, ignored, background }: ServerJob) =>
  [handle, retries, Number(ignored), Number(background)].join("\t");

/** Every connection has a line, also clients and who asks; functions stand in it the newest first. */
function workerLine({ number, address, id, abilities }: Peer): string {
  const names = abilities.map(({ functionQueue }) => ` ${shown(functionQueue.name)}`).reverse();
  return `${number} ${address} ${shown(id).replaceAll(" ", "_")} :${names.join("")}`;
}

/** Packets may bring names of any bytes: shown up to a NUL, and without what would end a column or a line. */
function shown(name: string): string {
  // deno-lint-ignore no-control-regex
  return name.replace(/\0.*/s, "").replace(/[\x01-\x1f\x7f]/g, "_");
}
