/** Readers of the text protocol's answers: from lines to values, without I/O. */

import { ProtocolError, ServerError } from "../errors.ts";

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
  /** The peer's IP address. */
  readonly address: string;
  /** The id that the peer has set, or "-". */
  readonly id: string;
  /** The functions that the peer has announced, newest first; empty for a client. */
  readonly functionNames: readonly string[];
}

/** Returns the error that an answer of one `ERR` line stands for, or `undefined` if the command was accepted. */
export function readRefusal({ lines }: Answer): ServerError | undefined {
  if (lines.length !== 1) return undefined;
  const refusal = /^ERR (?:([A-Z_]+)(?: |$))?(.*)/.exec(lines[0]!);
  if (refusal === null) return undefined;
  const [, code = "", text = ""] = refusal;
  return new ServerError(code, text.replaceAll("+", " "));
}

/**
 * Reads the value behind `OK`; empty if there is none.
 *
 * @throws {ProtocolError} The answer must be one line that begins with `OK`.
 */
export function readValue({ command, lines }: Answer): string {
  const line = lines[0];
  if (line === undefined || lines.length > 1 || !/^OK( |$)/.test(line)) {
    throw new ProtocolError(`Cannot read the answer to "${command}": expected one line that begins with OK`);
  }
  return line.slice(3);
}

/**
 * Reads the lines of a list.
 *
 * @throws {ProtocolError} The last line must be a dot.
 */
export function readList({ command, lines }: Answer): string[] {
  if (lines.at(-1) !== ".") {
    throw new ProtocolError(`Cannot read the answer to "${command}": expected a list that ends with a dot`);
  }
  return lines.slice(0, -1);
}

/**
 * Reads a list of rows, each a name and `columns` numbers with tabs between them.
 *
 * @throws {ProtocolError} The last line must be a dot.
 */
export function readTable(answer: Answer, columns: number): Row[] {
  // gearmand prints names as they are, tabs and line feeds included: a row ends only at its numbers.
  const row = new RegExp(`(.*?)${"\\t(\\d+)".repeat(columns)}\\n`, "gs");
  const text = readList(answer).map((line) => `${line}\n`).join("");
  return Array.from(text.matchAll(row), ([, name, ...numbers]) => [name, ...numbers.map(Number)] as Row);
}

/**
 * Reads a list of connections: `FD ADDRESS ID : FUNCTION FUNCTION`.
 *
 * @throws {ProtocolError} The last line must be a dot.
 */
export function readConnections(answer: Answer): WorkerInfo[] {
  // gearmand prints names as they are, line feeds included: a record begins only where a descriptor and an address do.
  const records = readList(answer).join("\n").split(/\n(?=-?\d+ [\da-fA-F.:-]+ )/);
  return records.flatMap((record) => {
    const [, fd, address, id, names] = /^(-?\d+) (\S+) (.*?) :(.*)$/s.exec(record) ?? [];
    if (names === undefined) return [];
    return [{ fd: Number(fd), address: address!, id: id!, functionNames: names.split(" ").slice(1) }];
  });
}
