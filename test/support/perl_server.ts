// Starts Perl's job server, Gearman::Server (Debian: gearman-server), which `.ci/perl-server` unpacks for the tests.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { findProgram, needs, REQUIRED } from "./requirements.ts";
import type { TestServer } from "./servers.ts";
import { freePort } from "./socket_server.ts";

/** Where it is unpacked, seen from the sources and from the tests that are built for Node. */
const FOLDERS = ["../../.build/perl-server/", "../../../perl-server/"];
/** How often a started server is asked for its version, 20 ms apart. */
const MAX_QUESTIONS = 500;

/** Returns the reason why tests with Perl's server cannot run; false if they can. */
export function withoutPerlServer(): string | false {
  if (REQUIRED || findFolder() !== undefined) return needs("perl");
  return "needs Perl's Gearman::Server, which .ci/perl-server unpacks";
}

/**
 * Starts Perl's server on an unused port, and waits until it answers.
 *
 * @throws {Error} It is not unpacked, or it did not answer; the message has what it printed.
 */
export async function startPerlServer(): Promise<TestServer> {
  const folder = findFolder();
  if (folder === undefined) throw new Error("Perl's Gearman::Server is missing: run .ci/perl-server");
  const port = await freePort();
  const args = [`-I${folder}usr/share/perl5`, `${folder}usr/bin/gearmand`, "-L", "127.0.0.1", "-p", String(port)];
  const child = spawn(findProgram("perl") ?? "perl", args, { stdio: ["ignore", "ignore", "pipe"] });
  let printed = "";
  child.stderr.on("data", (text) => printed = `${printed}${text}`.slice(0, 2_000));
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  for (let questions = 0; await askVersion(port) === ""; questions++) {
    if (hasEnded(child) || questions === MAX_QUESTIONS) throw new Error(`Perl's server does not answer: ${printed}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const stop = async () => {
    if (!hasEnded(child)) process.kill(child.pid!, "SIGKILL"); // not child.kill(): on Deno it sends only one signal
    await gone;
  };
  return { connect: { servers: `127.0.0.1:${port}` }, port, stop };
}

function findFolder(): string | undefined {
  const folders = FOLDERS.map((folder) => fileURLToPath(new URL(folder, import.meta.url)));
  return folders.find((folder) => existsSync(`${folder}usr/bin/gearmand`));
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** Asks a server for its version; "" if it does not answer. */
function askVersion(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port }, () => socket.write("version\n"));
    socket.once("data", (answer) => {
      socket.destroy();
      resolve(answer.toString());
    });
    socket.once("error", () => resolve(""));
    socket.once("close", () => resolve(""));
  });
}
