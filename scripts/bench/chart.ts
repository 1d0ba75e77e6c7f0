/** Draws the chart of background jobs per second, this library beside others, as SVG. `main.ts` writes it. */

import type { Results } from "./report.ts";
import { figure } from "./report.ts";
import { PEERS } from "./contests.ts";
import { median } from "./rows.ts";
import { RUNTIMES } from "./run.ts";

interface Bar {
  readonly name: string;
  readonly rate: number;
  readonly kind: "ours" | "raw" | "other";
}

const WIDTH = 760;
const LEFT = 250;
const RIGHT = 80;
const LINE = 26;
const TOP = 40;

/**
 * Draws the chart; returns `undefined` if its contests were not measured.
 *
 * It has a background of its own: its style follows the scheme that the browser prefers, and npm shows a README on white,
 * GitHub on what the reader has chosen there.
 */
export function chart(results: Results): string | undefined {
  const { pipelined, generated, awaited } = results;
  if (pipelined === undefined || generated === undefined || awaited === undefined) return undefined;
  const bar = (kind: Bar["kind"], name: string, rounds: typeof pipelined, side: string): Bar => ({
    kind,
    name,
    rate: median(rounds.map((round) => round[side]!.jobs / round[side]!.ms * 1_000)),
  });
  const title = { deno: "Deno", bun: "Bun", node: "Node" };
  const bars = [
    bar("raw", "raw socket (Deno)", pipelined, "raw deno"),
    ...RUNTIMES.map((runtime) => bar("ours", `this client, ${title[runtime]}`, pipelined, `ours ${runtime}`)),
    bar("other", "PHP's extension, task sets", pipelined, "PHP's task sets"),
    ...PEERS.map((name) => bar("other", `npm ${name}`, pipelined, name)),
    bar("ours", "this client, each awaited (Deno)", awaited, "ours deno"),
    bar("other", "libgearman, one after the other", awaited, "libgearman"),
  ];
  const maxRate = Math.max(...bars.map(({ rate }) => rate));
  const height = TOP + bars.length * LINE + 8;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Background jobs a second">
<style>
.background { fill: #ffffff }
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 }
.ours { fill: #0969da }
.raw { fill: #8c959f }
.other { fill: #bf8700 }
@media (prefers-color-scheme: dark) { .background { fill: #0d1117 } text { fill: #e6edf3 } .ours { fill: #4493f8 } .other { fill: #d29922 } }
</style>
<rect class="background" width="${WIDTH}" height="${height}" rx="6"/>
<text class="title" x="8" y="22">Background jobs a second, to gearmand (1,000 in flight unless said otherwise)</text>
${bars.map((bar, i) => drawBar(bar, TOP + i * LINE, maxRate)).join("\n")}
</svg>
`;
}

function drawBar({ name, rate, kind }: Bar, y: number, maxRate: number): string {
  const width = Math.max(1, Math.round(rate / maxRate * (WIDTH - LEFT - RIGHT)));
  return `<text x="${LEFT - 8}" y="${y + 15}" text-anchor="end">${name}</text>` +
    `<rect class="${kind}" x="${LEFT}" y="${y + 2}" width="${width}" height="18" rx="2"/>` +
    `<text x="${LEFT + width + 6}" y="${y + 15}">${figure(rate)}</text>`;
}
