// deno-lint-ignore-file no-console -- it is there to print
/**
 * Draws the picture in README, of how a job travels: `scripts/pictures/job.svg`.
 *
 *     deno task picture              draws it anew
 *     deno task picture --check      fails if the file is another one
 */

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { ROOT } from "../support/tools.ts";

const FILE = `${ROOT}scripts/pictures/job.svg`;
const WIDTH = 600;
/** The middle of each lane. */
const LANES = { client: 96, server: 300, worker: 504 } as const;
const BOX = { width: 150, height: 46, top: 16 } as const;
/** The first line below the boxes, and the distance between two lines. */
const [FIRST, LINE] = [98, 40] as const;

type Lane = keyof typeof LANES;

/** A message: from lane to lane, with what is said above its arrow. */
interface Message {
  readonly from: Lane;
  readonly to: Lane;
  readonly text: string;
  /** The line that it stands on, counted from 0. */
  readonly line: number;
  readonly kind: "request" | "answer";
}

const MESSAGES: readonly Message[] = [
  { from: "worker", to: "server", text: "I can do “resize”", line: 0, kind: "request" },
  { from: "client", to: "server", text: "do “resize”: cat.png", line: 0.5, kind: "request" },
  { from: "server", to: "client", text: "accepted, handle H:1", line: 1.5, kind: "answer" },
  { from: "server", to: "worker", text: "job H:1, cat.png", line: 2, kind: "request" },
  { from: "worker", to: "server", text: "progress, pieces", line: 3, kind: "answer" },
  { from: "server", to: "client", text: "progress, pieces", line: 3.4, kind: "answer" },
  { from: "worker", to: "server", text: "result, or failure", line: 4.2, kind: "answer" },
  { from: "server", to: "client", text: "result, or failure", line: 4.6, kind: "answer" },
];

const NOTES = [
  "In the foreground the client waits, and gets everything.",
  "In the background it only gets the handle. The server keeps no result.",
];

const lastLine = FIRST + 5.2 * LINE;
const HEIGHT = lastLine + 64;

const picture =
  `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="How a job travels from a client through the job server to a worker, and its result back">
<style>
text { font: 15px system-ui, sans-serif; fill: #24292f; text-anchor: middle }
.name { font-weight: 600 }
.paper { fill: #ffffff; stroke: #d0d7de }
.box { fill: #ddf4ff; stroke: #0969da }
.lane { stroke: #afb8c1; stroke-dasharray: 4 4 }
.request { stroke: #0969da }
.answer { stroke: #1a7f37 }
.request, .answer { stroke-width: 1.5; fill: none }
.head-request { fill: #0969da }
.head-answer { fill: #1a7f37 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.paper { fill: #0d1117; stroke: #30363d }
.box { fill: #121d2f; stroke: #4493f8 }
.lane { stroke: #484f58 }
.request { stroke: #4493f8 }
.answer { stroke: #3fb950 }
.head-request { fill: #4493f8 }
.head-answer { fill: #3fb950 }
}
</style>
<rect class="paper" x="0.5" y="0.5" width="${WIDTH - 1}" height="${HEIGHT - 1}" rx="6"/>
${Object.values(LANES).map(drawLane).join("\n")}
${drawBox("client", "client", "GearmanClient")}
${drawBox("server", "job server", "gearmand")}
${drawBox("worker", "worker", "GearmanWorker")}
${MESSAGES.map(drawMessage).join("\n")}
${NOTES.map((note, i) => `<text x="${WIDTH / 2}" y="${lastLine + 24 + i * 20}">${note}</text>`).join("\n")}
</svg>
`;

function drawLane(x: number): string {
  return `<line class="lane" x1="${x}" y1="${BOX.top + BOX.height}" x2="${x}" y2="${lastLine}"/>`;
}

function drawBox(lane: Lane, name: string, what: string): string {
  const x = LANES[lane];
  return `<rect class="box" x="${
    x - BOX.width / 2
  }" y="${BOX.top}" width="${BOX.width}" height="${BOX.height}" rx="6"/>` +
    `<text class="name" x="${x}" y="${BOX.top + 20}">${name}</text><text x="${x}" y="${BOX.top + 37}">${what}</text>`;
}

function drawMessage({ from, to, text, line, kind }: Message): string {
  const y = FIRST + line * LINE;
  const direction = Math.sign(LANES[to] - LANES[from]);
  const [start, end] = [LANES[from] + 4 * direction, LANES[to] - 4 * direction];
  const head = `${end},${y} ${end - 9 * direction},${y - 4.5} ${end - 9 * direction},${y + 4.5}`;
  return `<text x="${(start + end) / 2}" y="${y - 6}">${text}</text>` +
    `<line class="${kind}" x1="${start}" y1="${y}" x2="${end - 8 * direction}" y2="${y}"/>` +
    `<polygon class="head-${kind}" points="${head}"/>`;
}

const { stdout, stderr, status } = spawnSync(process.execPath, ["fmt", "--ext=svg", "-"], {
  cwd: ROOT,
  encoding: "utf8",
  input: picture,
});
if (status !== 0) throw new Error(stderr);
if (!process.argv.includes("--check")) {
  writeFileSync(FILE, stdout);
  console.log(FILE);
} else if (readFileSync(FILE, "utf8") !== stdout) {
  console.log("scripts/pictures/job.svg is not what `deno task picture` draws");
  process.exitCode = 1;
}
