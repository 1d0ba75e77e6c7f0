// The tests that a runtime cannot run. If everything is installed, no other test is skipped.

import process from "node:process";

export type Runtime = "deno" | "bun" | "node";

/** The runtime of this process. */
export const runtime: Runtime = "deno" in process.versions ? "deno" : "bun" in process.versions ? "bun" : "node";

interface Exception {
  readonly test: string;
  readonly skippedOn: readonly Runtime[];
  readonly reason: string;
}

export const EXCEPTIONS: readonly Exception[] = [
  {
    test: "a client needs no other permission than --allow-net for its server",
    skippedOn: ["bun", "node"],
    reason: "only Deno has permissions",
  },
  {
    test: "a Deno.Conn is a transport, read with a BYOB reader",
    skippedOn: ["bun", "node"],
    reason: "only Deno has such connections",
  },
  {
    test: "an idle client over a WebSocket with unref does not keep its process alive",
    skippedOn: ["bun"],
    reason: "Bun replaces the package ws by its own WebSocket, which has no unref",
  },
];

/** Returns the `skip` option of a test that is in the list. */
export function exception(test: string): string | false {
  const found = EXCEPTIONS.find((exception) => exception.test === test);
  if (found === undefined) throw new Error(`"${test}" is missing in the list of exceptions`);
  return found.skippedOn.includes(runtime) ? found.reason : false;
}
