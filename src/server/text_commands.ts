/** Commands in text, for administrators: a line is a command, and its answer has the exact bytes of gearmand. */

import { utf8Encoder } from "../internal/text.ts";
import type { TextLine } from "../codec/mod.ts";
import { inOrder } from "./abilities.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { FunctionQueue, ServerJob } from "./model.ts";
import { leadingUint32, toLowerCase, toName } from "./names.ts";
import type { Peer } from "./peer.ts";
import type { GearmandVersion, ServerState } from "./state.ts";

/** What the command `version` shows. */
const FULL_VERSIONS: Readonly<Record<GearmandVersion, string>> = { "1.1": "1.1.20", "2.0": "2.0.0" };
/** Maximum number of words of a line; gearmand closes the connection on a longer one. */
const MAX_WORDS = 5;
/** Size of gearmand's buffer for a line and its line feed, in bytes; it closes the connection on a longer one. */
const GEARMAND_LINE_SIZE = 8_192;

/** The parts of a server that commands show and change. */
interface ServerParts {
  readonly state: ServerState;
  readonly dispatcher: Dispatcher;
  readonly version: GearmandVersion;
  readonly peers: Iterable<Peer>;
}

/**
 * Lines of an answer. gearmand ends lists and values with LF, and every other answer with CR LF.
 *
 * A line may come in parts, and all lines are made while they are sent: a list may be longer than a string can be.
 */
interface TextAnswer {
  readonly lines: Iterable<string | Iterable<string>>;
  readonly terminator: "\n" | "\r\n";
}

/** Runs a command and returns its answer, or undefined if these arguments make it an unknown command. */
type TextCommand = (server: ServerParts, args: readonly string[]) => TextAnswer | undefined;

/** Every command by its name in lower case. To add a command, add it here. */
const COMMANDS: ReadonlyMap<string, TextCommand> = new Map(Object.entries<TextCommand>({
  status({ state }) {
    return listFunctions(state, ({ total, running, abilityCount }) => [total, running, abilityCount]);
  },

  prioritystatus({ state }) {
    return listFunctions(state, ({ queued, abilityCount }) => [...queued, abilityCount]);
  },

  workers({ peers }) {
    return list(peers, workerLine);
  },

  version({ version }) {
    return value(`OK ${FULL_VERSIONS[version]}`);
  },

  getpid() {
    const { process } = globalThis as { process?: { pid: number } };
    return value(`OK ${process?.pid ?? 0}`);
  },

  verbose() {
    return value("OK INFO");
  },

  show({ state }, args) {
    if (args.length === 0) return undefined;
    switch (toLowerCase(args.join(" "))) {
      case "jobs":
        return list(state.jobs.values(), jobLine);
      case "unique jobs":
        return list(state.jobs.values(), ({ unique }) => shown(unique));
      default:
        return result("ERR UNKNOWN_SHOW_ARGUMENTS");
    }
  },

  cancel({ state, dispatcher }, args) {
    const [what, handle, ...others] = args;
    if (what === undefined || handle === undefined) return undefined;
    if (toLowerCase(what) !== "job" || others.length > 0) return result("ERR UNKNOWN_ERROR");
    const job = state.jobByHandle(handle);
    if (job === undefined) return result("ERR UNKNOWN_JOB");
    dispatcher.cancel(job);
    return OK;
  },

  /** One number is the limit of all priorities. With more, each has its own: a missing one, or one below 1, is no limit. */
  maxqueue({ state }, args) {
    const [functionName, ...numbers] = args;
    if (functionName === undefined) return incompleteArguments("maxqueue");
    const [high = 0, normal = 0, low = 0] = numbers.map((number) => leadingUint32(number) | 0);
    const functionQueue = state.functions.get(functionName);
    // As in gearmand, the answer is OK for an unknown function too, and the limit is not kept.
    if (functionQueue !== undefined) {
      functionQueue.limits = numbers.length > 1 ? [high, normal, low] : [high, high, high];
    }
    return OK;
  },

  create({ state }, args) {
    const name = functionArgument(args);
    if (name === undefined) return incompleteArguments("create");
    state.addFunction(name);
    return OK;
  },

  drop({ state }, args) {
    const name = functionArgument(args);
    if (name === undefined) return incompleteArguments("drop");
    const functionQueue = state.functionInAnyCase(name);
    if (functionQueue === undefined) return result("ERR function not found");
    if (state.dropFunction(functionQueue)) return OK;
    return result("ERR there are still connected workers or executing clients");
  },
}));

/** Serves commands in text. */
export class TextCommands {
  readonly #server: ServerParts;

  constructor(server: ServerParts) {
    this.#server = server;
  }

  /**
   * Serves one line: words with blanks between them, and the first is a command, in any case.
   *
   * @throws {ProtocolError} The command exceeds a limit of the server.
   */
  serve(peer: Peer, { line }: TextLine): void {
    const text = toName(utf8Encoder.encode(line));
    // gearmand reads the line as a string of C, which ends at a NUL.
    const words = text.split("\0", 1)[0]!.split(/ +/);
    if (words.length > MAX_WORDS || text.length >= GEARMAND_LINE_SIZE) {
      peer.close();
      return;
    }
    const [name = "", ...args] = words;
    const answer = COMMANDS.get(toLowerCase(name))?.(this.#server, args) ?? unknownCommand(name);
    for (const line of answer.lines) sendLine(peer, line, answer.terminator);
  }
}

const OK: TextAnswer = result("OK");

function sendLine(peer: Peer, line: string | Iterable<string>, terminator: "\n" | "\r\n"): void {
  if (typeof line === "string") return peer.sendLine(line, terminator);
  for (const part of line) peer.sendLine(part, "");
  peer.sendLine("", terminator);
}

/** The answer of a command that lists things: a line for each, and one with a dot at the end. */
function list<T>(things: Iterable<T>, lineOf: (thing: T) => string | Iterable<string>): TextAnswer {
  return { lines: listLines(things, lineOf), terminator: "\n" };
}

function* listLines<T>(
  things: Iterable<T>,
  lineOf: (thing: T) => string | Iterable<string>,
): Iterable<string | Iterable<string>> {
  for (const thing of things) yield lineOf(thing);
  yield ".";
}

/** The answer of a command that reads one value. */
function value(line: string): TextAnswer {
  return { lines: [line], terminator: "\n" };
}

/** The answer of a command that changes something, and of every command that fails. */
function result(line: string): TextAnswer {
  return { lines: [line], terminator: "\r\n" };
}

function incompleteArguments(command: string): TextAnswer {
  return result(`ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command+${command}`);
}

/** gearmand puts nothing between its message and the command, which it repeats as it was written. */
function unknownCommand(command: string): TextAnswer {
  return result(`ERR UNKNOWN_COMMAND Unknown+server+command${command}`);
}

function listFunctions({ functions }: ServerState, columns: (functionQueue: FunctionQueue) => number[]): TextAnswer {
  return list(functions.values(), (each) => [shown(each.name), ...columns(each)].join("\t"));
}

function jobLine({ handle, retries, ignored, background }: ServerJob): string {
  return [handle, retries, Number(ignored), Number(background)].join("\t");
}

/** One line for each connection, also for clients and for the one that asks. Its newest function comes first. */
function* workerLine({ number, address, id, abilities }: Peer): Iterable<string> {
  yield `${number} ${address} ${shown(id).replaceAll(" ", "_")} :`;
  for (const { group } of inOrder(abilities.values())) yield ` ${shown(group.functionQueue.name)}`;
}

/** Reads the arguments "function NAME" of `create` and `drop`; returns undefined for any others. */
function functionArgument(args: readonly string[]): string | undefined {
  const [what, name] = args;
  return args.length === 2 && toLowerCase(what!) === "function" ? name : undefined;
}

/** Makes a name fit for a list. A packet may bring any bytes; the name ends at a NUL, and nothing in it ends a column or a line. */
function shown(name: string): string {
  // deno-lint-ignore no-control-regex
  return name.replace(/\0.*/s, "").replace(/[\x01-\x1f\x7f]/g, "_");
}
