// deno-lint-ignore-file no-console -- it is there to print
/**
 * Tests the tests: makes one small fault in one source after the other, and prints those that no test notices.
 *
 *     deno task mutate                              a sample of each room
 *     deno task mutate worker                       the sample of a room
 *     deno task mutate src/worker/sleep.ts          all mutants of a file
 *     deno task mutate --seed=2 --each=40 codec     another sample of a room, of 40 mutants
 *     deno task mutate --jobs=1 --match=TEXT FILE   one at a time, and only those that have this text in their key
 *
 * The operators stand in `operators.ts`: conditions negated, comparisons shifted, constants moved by one, booleans
 * flipped, operands and arguments changed, and awaits, cleanups and statements removed. Each operator has its turn in
 * the sample. Mutants that TypeScript refuses are left out, and replaced by others.
 *
 * A mutant is tested in a copy of the checkout, with the tests of its room only. It is caught if the tests fail twice, so
 * that chance does not catch it, or if they take several times as long as without it. It is tested without real
 * programs first, and with them only if it has survived. The rooms are tested once without a mutant before.
 *
 * The sample depends on the seed and on the mutants' keys, so that most of it stays the same after a change. Mutants that
 * change nothing that a test could notice are explained in `equivalents.json`, by their keys. They are tested as well: an
 * explanation of a mutant that a test catches is wrong.
 *
 * Why not Stryker: it has no runner for Deno (stryker-js issue 2977). Its runner for commands has one command for all
 * files, so that each mutant would need all tests, and it has no sample with a seed. It instruments the sources with all
 * mutants at once, which changes their costs and stacks, and some tests look at those.
 */

import { createHash } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { BUILD, ROOT } from "../support/tools.ts";
import { Compiler } from "./compiler.ts";
import equivalents from "./equivalents.json" with { type: "json" };
import { type Mutant, mutantsOf, OPERATOR_NAMES } from "./operators.ts";
import { Copy, LATE, removeOldCopies, type TestRun, type Tests } from "./runner.ts";

/** The rooms, with their folders of tests. The rules of the job server have a folder of their own. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  codec: ["codec"],
  transport: ["transport"],
  connection: ["connection"],
  function: ["function"],
  client: ["client"],
  worker: ["worker"],
  admin: ["admin"],
  server: ["server", "conformance"],
  gateway: ["gateway"],
};
/** A room that is tested only if it is named: it has no code of Gearman. */
const INTERNAL = "internal";

/** The folders in which real programs test more of the sources; those of `conformance` test gearmand alone. */
const WITH_PROGRAMS = new Set(["transport", "client", "worker", "admin", "gateway"]);

/** Share of the mutants, without equivalent ones, that have to be caught. */
const MIN_CAUGHT = 0.95;
/** Share of the mutants that may be equivalent. */
const MAX_EQUIVALENT = 0.1;
/** The time limit of a mutant: a multiple of the time that its tests take without it, and some seconds for a busy machine. */
const LIMIT = { factor: 3, seconds: 5 };
/** Seconds that the tests of a folder may take without a mutant. */
const CONTROL_LIMIT = 300;

const EXPLANATIONS: Readonly<Record<string, string>> = equivalents;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: "string", default: "1" },
    each: { type: "string", default: "26" },
    jobs: { type: "string", default: "2" },
    match: { type: "string", default: "" },
  },
});

/** A group of mutants, and the folders of tests that must catch them. */
interface Subject {
  readonly name: string;
  readonly folders: readonly string[];
  /** The mutants in the order in which they are tested. */
  readonly mutants: readonly Mutant[];
  /** Maximum number of mutants that are tested. */
  readonly size: number;
}

/** What became of a mutant. */
interface Verdict {
  readonly mutant: Mutant;
  /** How its tests ended, with the test that failed. */
  readonly run: TestRun;
  /** Why no test can catch it, if this is explained. */
  readonly explanation: string | undefined;
}

const compiler = new Compiler();

function readSubject(name: string): Subject {
  const room = name.startsWith("src/") ? name.split("/")[1]! : name;
  const folders = ROOMS[room] ?? (room === INTERNAL ? [INTERNAL] : undefined);
  const files = compiler.files(name.startsWith("src/") ? name : `src/${name}`);
  if (folders === undefined || files.length === 0) throw new Error(`${name} is no room and no source of a room`);
  const mutants = files.flatMap((file) => mutantsOf(file, compiler.parse(file)));
  for (const key of Object.keys(EXPLANATIONS)) {
    const file = key.slice(0, key.indexOf(" "));
    const isOutdated = !existsSync(`${ROOT}${file}`) ||
      files.includes(file) && !mutants.some((each) => each.key === key);
    if (isOutdated) console.log(`equivalents.json explains a mutant that is no longer there: ${key}`);
  }
  const matching = mutants.filter(({ key }) => key.includes(options.match));
  const isSample = !name.startsWith("src/") && options.match === "";
  return { name, folders, mutants: shuffle(matching), size: isSample ? Number(options.each) : Infinity };
}

/** Orders mutants by chance, and so that the operators take turns. */
function shuffle(mutants: readonly Mutant[]): Mutant[] {
  const rank = ({ key }: Mutant) => createHash("sha256").update(`${options.seed} ${key}`).digest("hex");
  const ranks = new Map(mutants.map((mutant) => [mutant, rank(mutant)]));
  const ranked = mutants.toSorted((a, b) => ranks.get(a)! < ranks.get(b)! ? -1 : 1);
  const queues = OPERATOR_NAMES.map((name) => ranked.filter(({ operator }) => operator === name));
  return ranked.flatMap((_, turn) => queues.flatMap((queue) => queue.slice(turn, turn + 1)));
}

/** Runs tasks on all copies, each on the next copy that is free. */
async function onCopies<T>(tasks: Iterable<T>, run: (task: T, copy: Copy) => Promise<void>): Promise<void> {
  const rest = tasks[Symbol.iterator]();
  await Promise.all(copies.map(async (copy) => {
    for (let next = rest.next(); next.done !== true; next = rest.next()) await run(next.value, copy);
  }));
}

removeOldCopies();
const copies = Array.from({ length: Number(options.jobs) }, (_, i) => new Copy(i + 1));
const started = performance.now();
console.log(`seed ${options.seed}`);
const subjects = (positionals.length > 0 ? positionals : Object.keys(ROOMS)).map(readSubject);

/** Seconds that tests may take, by folder. */
const limits = { without: new Map<string, number>(), with: new Map<string, number>() };

/** Runs the tests of all folders without a mutant. */
async function runControls(): Promise<void> {
  const folders = new Set(subjects.flatMap((subject) => subject.folders));
  await onCopies([...folders], async (folder, copy) => {
    const seconds: string[] = [];
    for (const programs of WITH_PROGRAMS.has(folder) ? ["without", "with"] as const : ["without"] as const) {
      const tests = { file: `test/${folder}/all.ts`, withPrograms: programs === "with", limit: CONTROL_LIMIT };
      let run = await copy.test(tests);
      if (!run.passed) run = await copy.test(tests); // the machine may be busy
      if (!run.passed) throw new Error(`test/${folder} fails without a mutant: ${run.reason}`);
      limits[programs].set(folder, run.seconds * LIMIT.factor + LIMIT.seconds);
      seconds.push(`${run.seconds.toFixed(1)} s ${programs} programs`);
    }
    console.log(`test/${folder} passes: ${seconds.join(", ")}`);
  });
}

/** Runs the tests with a mutant: quick ones first, and no more after one that has failed twice. */
async function testMutant(mutant: Mutant, { folders }: Subject, copy: Copy): Promise<TestRun> {
  let run: TestRun = { passed: true, reason: "", seconds: 0 };
  const steps: Tests[] = (["without", "with"] as const).flatMap((programs) =>
    folders.filter((folder) => limits[programs].has(folder)).map((folder) => {
      const limit = limits[programs].get(folder)!;
      return { file: `test/${folder}/all.ts`, withPrograms: programs === "with", limit };
    })
  );
  // The tests of the same name catch most mutants, in a fraction of the time.
  const mirror = mutant.file.replace("src/", "test/").replace(".ts", "_test.ts");
  if (existsSync(`${ROOT}${mirror}`)) steps.unshift({ ...steps[0]!, file: mirror });
  for (const tests of steps) {
    run = await copy.testWith(mutant.file, mutant.text, tests);
    if (!run.passed && run.reason !== LATE) run = await copy.testWith(mutant.file, mutant.text, tests);
    if (!run.passed) return tests.withPrograms ? { ...run, reason: `${run.reason} (with programs)` } : run;
  }
  return run;
}

/** Yields the mutants of a subject that compile, up to its size. */
function* compiling({ mutants, size }: Subject): Generator<Mutant> {
  let count = 0;
  for (const mutant of mutants) {
    if (count === size) return;
    if (!compiler.compiles(mutant.file, mutant.text)) continue;
    count++;
    yield mutant;
  }
}

function describe({ mutant, run, explanation }: Verdict): string {
  const { file, line, operator, before, after, key } = mutant;
  const verdict = explanation === undefined ? "SURVIVED" : run.passed ? "equivalent" : "EXPLAINED, BUT CAUGHT";
  const lines = [`${verdict} ${file}:${line} ${operator}`, `  before: ${before}`, `  after:  ${after}`];
  if (explanation !== undefined) lines.push(`  reason: ${explanation}`);
  if (explanation === undefined) lines.push(`  key:    ${key}`);
  if (!run.passed) lines.push(`  by:     ${run.reason}`);
  return lines.join("\n");
}

async function testSubject(subject: Subject): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  await onCopies(compiling(subject), async (mutant, copy) => {
    const run = await testMutant(mutant, subject, copy);
    const verdict = { mutant, run, explanation: EXPLANATIONS[mutant.key] };
    verdicts.push(verdict);
    if (run.passed || verdict.explanation !== undefined) console.log(describe(verdict));
  });
  return verdicts;
}

const isCaught = ({ run }: Verdict) => !run.passed;
const isEquivalent = ({ run, explanation }: Verdict) => run.passed && explanation !== undefined;

function summarise(name: string, verdicts: readonly Verdict[]): string {
  const caught = verdicts.filter(isCaught);
  const equivalent = verdicts.filter(isEquivalent).length;
  const late = caught.filter(({ run }) => run.reason.startsWith(LATE)).length;
  const survived = verdicts.length - caught.length - equivalent;
  return `${name.padEnd(12)} ${verdicts.length} mutants, ${caught.length} caught (${late} by time), ` +
    `${survived} survived, ${equivalent} equivalent`;
}

await runControls();
const all: Verdict[] = [];
const summaries: string[] = [];
for (const subject of subjects) {
  const verdicts = await testSubject(subject);
  all.push(...verdicts);
  summaries.push(summarise(subject.name, verdicts));
  console.log(summaries.at(-1));
}
const report = all.map(({ mutant: { text: _, ...mutant }, ...verdict }) => ({ ...mutant, ...verdict }));
writeFileSync(
  `${BUILD}mutate/report-${subjects.map(({ name }) => name.replaceAll("/", "+")).join("_").slice(0, 100)}.json`,
  JSON.stringify(report, null, 2),
);

const wrong = all.filter((verdict) => verdict.explanation !== undefined && !verdict.run.passed).length;
const equivalent = all.filter(isEquivalent).length;
const caught = all.filter(isCaught).length / Math.max(all.length - equivalent, 1);
console.log(`\n${[...summaries, summarise("all", all)].join("\n")}`);
console.log(
  `${(caught * 100).toFixed(1)} % of the mutants that are not equivalent are caught, in ` +
    `${((performance.now() - started) / 60_000).toFixed(1)} minutes; seed ${options.seed}`,
);
if (wrong > 0 || caught < MIN_CAUGHT || equivalent > all.length * MAX_EQUIVALENT) process.exitCode = 1;
