/** Tests of the memory of workloads. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type KeptWorkload, MAX_PAGED_WORKLOAD, WorkloadPages } from "../../src/server/workloads.ts";

const bytesOf = ({ memory, start, end }: KeptWorkload) => memory.subarray(start, end);

test("workloads of any length are kept as they were, whatever is kept after them", () => {
  const lengths = fc.array(fc.oneof(fc.nat(20), fc.integer({ min: 200, max: 300 })), { maxLength: 200 });
  fc.assert(fc.property(lengths, (lengths) => {
    const pages = new WorkloadPages();
    const workloads = lengths.map((length, i) => new Uint8Array(length).fill(i));
    const kept = workloads.map((workload) => pages.keep(workload));
    for (const [i, each] of kept.entries()) assert.deepEqual(bytesOf(each), workloads[i]);
  }));
});

test("a short workload is copied, since the received chunk must not stay in memory, and shares a page", () => {
  const pages = new WorkloadPages();
  const chunk = new Uint8Array(65_536).fill(1);
  const kept = Array.from({ length: 10 }, (_, i) => pages.keep(chunk.subarray(i * 100, i * 100 + MAX_PAGED_WORKLOAD)));
  chunk.fill(2);
  for (const each of kept) assert.deepEqual(bytesOf(each), new Uint8Array(MAX_PAGED_WORKLOAD).fill(1));
  assert.equal(new Set(kept.map(({ memory }) => memory)).size, 1);
});

test("a long workload is kept as it is", () => {
  const workload = new Uint8Array(MAX_PAGED_WORKLOAD + 1);
  assert.equal(new WorkloadPages().keep(workload).memory, workload);
});
