// Compares what work costs with what four times the work costs: no time is a limit by itself.

import assert from "node:assert/strict";

/** Returns the time of the fastest of three runs in milliseconds: a busy machine makes runs slower, and none faster. */
function shortestTime(run: () => void): number {
  const times = [0, 1, 2].map(() => {
    const begin = performance.now();
    run();
    return performance.now() - begin;
  });
  return Math.min(...times);
}

/**
 * Asserts that `large`, four times the work of `small`, takes at most six times as long; a busy machine has five tries.
 *
 * `plain` is the minimum of work for `large`; six times its time is accepted too. New memory may cost more than all else:
 * 64 MiB of it took ten times as long as 16 MiB, whatever was done with it.
 */
export function assertLinear(
  small: () => void,
  large: () => void,
  plain: () => void = () => {},
  name: string = "the work",
): void {
  small(); // warms up
  const ratios: number[] = [];
  while (ratios.length < 5) {
    const time = Math.max(shortestTime(small), shortestTime(plain));
    const ratio = shortestTime(large) / time;
    if (ratio <= 6) return;
    ratios.push(ratio);
  }
  assert.fail(`four times ${name} takes ${ratios.map((ratio) => ratio.toFixed(1)).join(", ")} times as long`);
}
