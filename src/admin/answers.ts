/**
 * Readers of the text protocol's answers: from lines to values, without I/O, in time linear in the answer's size.
 *
 * gearmand prints names as they are. A name may hold tabs and line feeds, and a line of it may look like a row of its own;
 * no reader can tell. Everything else that does not fit is an error: no row is left out silently.
 */

import { ProtocolError, ServerError } from "../errors.ts";
import { printable } from "../internal/text.ts";

/** The complete answer to a command. */
export interface Answer {
  /** The command as it was sent. */
  readonly command: string;
  /** The lines of the answer without their line feeds. */
  readonly lines: readonly string[];
}

/** A row of a table: a name and up to four numbers. */
export type Row = [name: string, number, number, number, number];

/** A connection to the server, as `workers` lists it: a worker, a client, or the admin client itself. */
export interface WorkerInfo {
  /** The server's file descriptor of the connection. */
  readonly fd: number;
  /** The peer's IP address. gearmand adds a scope to IPv6 addresses, as in `::1%7`, and prints other bytes than the peer's. */
  readonly address: string;
  /** The id that the peer has set, or "-". */
  readonly id: string;
  /** The functions that the peer has announced, newest first; empty for a client. */
  readonly functionNames: readonly string[];
}

/** A line that refuses a command: a code, a text, or both. gearmand writes codes in upper case, Perl's server in lower case. */
const REFUSAL = /^ERR (?:([A-Z_]+|[a-z]+_[a-z_]+)(?: |$))?(.*)/s;
/** A version without `OK`, as Perl's server (`v1.130.1`) answers. */
const BARE_VERSION = /^v?\d+\.\S*$/;
/** A line that has all of a connection but, perhaps, the rest of its last function's name. */
const CONNECTION = /^(-?\d+) (\S+) (.*?) :(?: (.*))?$/s;
/** A line that begins like a connection: a descriptor and an address. If nothing more fits, the peer's id holds a line feed. */
const CONNECTION_START = /^-?\d+ (?:-|[\d.]+|[\da-f.]*:[\da-f:.]*(?:%[\w.-]+)?) /i;

/** Returns the error that an answer of one `ERR` line stands for, or `undefined` if the command was accepted. */
export function readRefusal({ lines }: Answer): ServerError | undefined {
  return lines.length === 1 ? refusalOf(lines[0]!) : undefined;
}

/**
 * Reads the outcome of a command that may have changed several things: a line with `OK` or `ERR` for each.
 *
 * @throws {ServerError} A line is `ERR`: the first of them.
 * @throws {ProtocolError} There is no line, or another one.
 */
export function readOutcomes(answer: Answer): void {
  const { lines } = answer;
  const wrong = lines.find((line) => line !== "OK" && refusalOf(line) === undefined);
  if (lines.length === 0 || wrong !== undefined) throw unexpected(answer, "OK or ERR", wrong);
  for (const line of lines) {
    const refusal = refusalOf(line);
    if (refusal !== undefined) throw refusal;
  }
}

/**
 * Reads the value behind `OK`; empty if there is none.
 *
 * @throws {ProtocolError} The answer must be one line that begins with `OK`.
 */
export function readValue(answer: Answer): string {
  const [line, ...others] = answer.lines;
  if (line === undefined || others.length > 0 || !/^OK( |$)/.test(line)) {
    throw unexpected(answer, "one line that begins with OK", others[0] ?? line);
  }
  return line.slice("OK ".length);
}

/**
 * Reads a version: what follows `OK`, or the whole line if it is a bare version.
 *
 * @throws {ProtocolError} The answer must be one line with a version.
 */
export function readVersion(answer: Answer): string {
  const { lines } = answer;
  return lines.length === 1 && BARE_VERSION.test(lines[0]!) ? lines[0]! : readValue(answer);
}

/**
 * Reads a whole number behind `OK`.
 *
 * @throws {ProtocolError} The answer must be one line with `OK` and a number.
 */
export function readNumber(answer: Answer): number {
  const value = readValue(answer);
  if (!/^\d+$/.test(value)) throw unexpected(answer, "OK and a number", value);
  return Number(value);
}

/**
 * Reads the lines of a list. A dot before the last line is an entry.
 *
 * @throws {ProtocolError} The last line must be a dot.
 */
export function readList(answer: Answer): string[] {
  const last = answer.lines.at(-1);
  if (last !== ".") throw unexpected(answer, "a list that ends with a dot", last);
  return answer.lines.slice(0, -1);
}

/**
 * Reads a list of rows, each a name and `columns` numbers with tabs between them.
 *
 * @throws {ProtocolError} The last line must be a dot, and the line before it must end a row.
 */
export function readTable(answer: Answer, columns: number): Row[] {
  const row = new RegExp(`^(.*)${"\\t(\\d+)".repeat(columns)}$`, "s");
  const rows: Row[] = [];
  let nameLines: string[] = [];
  for (const line of readList(answer)) {
    const [match, lastNameLine, ...numbers] = row.exec(line) ?? [];
    nameLines.push(lastNameLine ?? line);
    if (match === undefined) continue; // the name goes on in the next line
    rows.push([nameLines.join("\n"), ...numbers.map(Number)] as Row);
    nameLines = [];
  }
  const expected = `a name and ${columns} numbers with tabs between them`;
  if (nameLines.length > 0) throw unexpected(answer, expected, nameLines[0]);
  return rows;
}

/** A connection whose last function name may go on in the next line. */
interface OpenConnection extends Omit<WorkerInfo, "functionNames"> {
  /** The lines of the function names, which have blanks between them; `undefined` if nothing follows the colon. */
  readonly nameLines: string[] | undefined;
}

/**
 * Reads a list of connections: `FD ADDRESS ID : FUNCTION FUNCTION`.
 *
 * @throws {ProtocolError} The last line must be a dot, and each line before must begin a connection, or belong to the
 * name of a function.
 */
export function readConnections(answer: Answer): WorkerInfo[] {
  const connections: OpenConnection[] = [];
  /** The lines from one that begins like a connection to one that ends its id. */
  let idLines: string[] = [];
  const continueName = (lines: readonly string[]): void => {
    for (const line of lines) {
      const nameLines = connections.at(-1)?.nameLines;
      if (nameLines === undefined) throw unexpected(answer, "a connection", line);
      nameLines.push(line);
    }
  };

  for (const line of readList(answer)) {
    const connection = readConnection(line);
    if (connection !== undefined) {
      continueName(idLines); // nothing has ended an id: they belong to the name before
      idLines = [];
      connections.push(connection);
    } else if (idLines.length > 0 && / :(?: |$)/.test(line)) {
      connections.push(readConnection([...idLines, line].join("\n"))!);
      idLines = [];
    } else if (idLines.length > 0 || CONNECTION_START.test(line)) {
      idLines.push(line);
    } else {
      continueName([line]);
    }
  }
  continueName(idLines);
  return connections.map(({ nameLines, ...connection }) => ({ ...connection, functionNames: splitNames(nameLines) }));
}

function readConnection(text: string): OpenConnection | undefined {
  const [match, fd, address, id, names] = CONNECTION.exec(text) ?? [];
  if (match === undefined) return undefined;
  return { fd: Number(fd), address: address!, id: id!, nameLines: names === undefined ? undefined : [names] };
}

/** Splits the names behind the colon. Perl's server prints a blank there without a name, too. */
function splitNames(nameLines: readonly string[] = []): string[] {
  const text = nameLines.join("\n");
  return text === "" ? [] : text.split(" ");
}

function refusalOf(line: string): ServerError | undefined {
  const [match, code = "", text = ""] = REFUSAL.exec(line) ?? [];
  return match === undefined ? undefined : new ServerError(code, text.replaceAll("+", " ").trimEnd());
}

/** Makes the error of an answer in which something else was expected. */
function unexpected({ command }: Answer, expected: string, found?: string): ProtocolError {
  const end = found === undefined ? "" : `, got "${printable(found)}"`;
  return new ProtocolError(`Cannot read the answer to "${printable(command)}": expected ${expected}${end}`);
}
