/** Any number of background submissions in one pipeline: in order, in constant memory, without a promise for each. */

import { checkFunction, checkOptions, wholeNumber } from "../internal/checks.ts";
import { markHandled } from "../internal/promises.ts";
import { Fifo } from "../internal/queue.ts";
import { orAbort } from "../internal/signals.ts";
import type { Workload } from "../connection/arguments.ts";
import type { BackgroundJob } from "./background_job.ts";
import type { BackgroundSubmission, OnSettled, Outgoing } from "./request.ts";
import { backgroundPacket, type DoBackgroundOptions } from "./submission_packet.ts";

/** Options of many submissions in the background. */
export interface DoBackgroundAllOptions extends Omit<DoBackgroundOptions, "unique"> {
  /** Jobs on their way, and accepted ones that nobody has taken from the generator, at most; default 1,000. */
  inFlight?: number;
  /** Makes the unique of each job from its workload and its index, counted from 0; default a generated one. */
  unique?: (workload: Workload, index: number) => string;
}

/** Submits what the source yields, as fast as jobs are accepted and taken; see `GearmanClient.doBackgroundAll`. */
export async function* submitAll(
  functionName: string,
  workloads: Iterable<Workload> | AsyncIterable<Workload>,
  options: DoBackgroundAllOptions,
  makeUnique: () => string,
  submit: (packet: Outgoing, onSettled: OnSettled) => BackgroundSubmission,
): AsyncGenerator<BackgroundJob, void, undefined> {
  checkOptions(options);
  const { unique = makeUnique, signal } = options;
  const most = wholeNumber(options, "inFlight", 1_000, 1, Number.MAX_SAFE_INTEGER);
  checkFunction(unique, "unique");
  backgroundPacket(functionName, "", "", options); // what is wrong with all of them is not told of the first
  if (typeof workloads !== "object" || workloads instanceof Uint8Array) {
    throw new TypeError("Cannot use the workloads: expected an iterable of them");
  }
  signal?.throwIfAborted();
  const source = Symbol.asyncIterator in workloads ? workloads[Symbol.asyncIterator]() : workloads[Symbol.iterator]();

  const submissions = new Fifo<BackgroundSubmission>();
  let read = 0, taken = 0;
  let wanting = true, asking = false, ended = false, failed = false;
  let broken: BackgroundSubmission["failure"];
  let wake = () => {};
  const onSettled: OnSettled = ({ failure }) => {
    if (failure !== undefined) wanting = false;
    wake();
  };
  const pull = async () => {
    try {
      while (wanting && submissions.length < most) {
        asking = true;
        const next = source.next();
        const { done = false, value } = "then" in next ? await next : next;
        asking = false;
        ended = done;
        wanting &&= !done;
        if (!wanting) break;
        const id = unique(value, read++);
        try {
          submissions.push(submit(backgroundPacket(functionName, value, id, options), onSettled));
        } catch (error) {
          throw withIndex(error, read - 1);
        }
      }
    } catch (error) {
      broken = { error };
      wanting = false;
    }
    wake();
  };

  try {
    for (;;) {
      // By halves, so that many leave in one write.
      if (wanting && !asking && submissions.length <= most / 2) pull();
      const { job, failure } = submissions.first ?? {} as Partial<BackgroundSubmission>;
      if (failure !== undefined) {
        throw failure.error === signal?.reason ? failure.error : withIndex(failure.error, taken);
      }
      if (job !== undefined) {
        submissions.shift();
        taken++;
        yield job;
      } else if (wanting || submissions.length > 0) {
        await orAbort(new Promise<void>((resolve) => wake = resolve), signal);
      } else if (broken !== undefined) throw broken.error;
      else return;
    }
  } catch (error) {
    failed = true;
    throw error;
  } finally {
    wanting = false;
    for (const submission of submissions.drain()) submission.settle();
    const close = async () => ended || await source.return?.();
    if (asking || failed) markHandled(close()); // a source may never answer, and its error is not the first
    else await close();
  }
}

/** Has an error of ours say which workload it is about, in what is logged of it too. */
function withIndex(error: unknown, index: number): unknown {
  const { message, stack = "" } = error as Error;
  const told = `Workload ${index}: ${message}`;
  return Object.assign(error as Error, { message: told, stack: stack.replace(message, () => told) });
}
