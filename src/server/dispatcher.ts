/** The dispatcher of a job server: brings jobs to workers, and does what follows when time passes or a worker is lost. */

import { PacketType } from "../codec/mod.ts";
import { inOrder } from "./abilities.ts";
import type { AbilityGroup, JobDetails, Participant, ServerJob } from "./model.ts";
import type { ServerState } from "./state.ts";
import { EpochTimer, TimeLimits } from "./timers.ts";

/** Changes the state, and sends the packets that no request asked for: NOOP to workers, WORK_FAIL to clients. */
export class Dispatcher {
  readonly #state: ServerState;
  readonly #onError: (error: unknown) => void;
  readonly #timeLimits = new TimeLimits((job) => this.#onTimer(() => this.#loseJob(job)));
  readonly #epochTimer = new EpochTimer(() => {
    this.#onTimer(() => this.#queueDueJobs());
    this.#epochTimer.set(this.#state.nextDue);
  });

  /** Creates a dispatcher; what goes wrong when a timer fires is passed to `onError`, since it is no fault of a request. */
  constructor(state: ServerState, onError: (error: unknown) => void) {
    this.#state = state;
    this.#onError = onError;
  }

  /** Submits a job, and wakes workers if it is new; returns undefined if there is no room for it. */
  submit(client: Participant, details: JobDetails): ServerJob | undefined {
    const accepted = this.#state.submit(client, details);
    if (accepted === undefined) return undefined;
    const { job, isNew } = accepted;
    if (isNew) {
      // Asking the clock for each job would be a twentieth of its cost.
      sendNoops(this.#state.enqueue(job, job.due === 0 ? 0 : Date.now()));
      this.#epochTimer.set(this.#state.nextDue);
    }
    return job;
  }

  /** Assigns the worker its next job, and starts the job's time limit. */
  grab(worker: Participant): ServerJob | undefined {
    this.#queueDueJobs();
    worker.asleep = false;
    const job = this.#state.grab(worker);
    if (job === undefined) return undefined;
    const { timeLimit } = job.ability!;
    if (timeLimit > 0) this.#timeLimits.start(job, timeLimit);
    return job;
  }

  /** Puts a worker to sleep until the next job comes; if there is a job for it, it gets a NOOP and stays awake. */
  sleep(worker: Participant): void {
    this.#queueDueJobs();
    if (this.#state.hasJobFor(worker)) worker.send(PacketType.NOOP);
    else worker.asleep = true;
  }

  /** Ends a job that its worker has completed or failed. */
  finish(job: ServerJob): void {
    this.#timeLimits.stop(job);
    this.#state.finish(job);
  }

  /** Cancels a job: its clients get WORK_FAIL. A worker that runs it is not notified, as in gearmand. */
  cancel(job: ServerJob): void {
    sendFailure(job);
    this.#state.cancel(job);
  }

  /**
   * Removes the worker's abilities for one function. Its running jobs of that function are queued again, and may wake
   * the worker itself.
   */
  removeAbilities(worker: Participant, functionName: string): void {
    const functionQueue = this.#state.functions.get(functionName);
    const group = functionQueue && worker.abilities.get(functionQueue);
    if (group !== undefined) this.#remove([group]);
  }

  /** Removes all abilities of the worker, in the same way. */
  removeAllAbilities(worker: Participant): void {
    this.#remove([...worker.abilities.values()]);
  }

  /** Releases what an ended connection holds: its jobs as a client are abandoned, its jobs as a worker are queued again. */
  release(participant: Participant): void {
    this.#state.abandon(participant);
    this.removeAllAbilities(participant);
  }

  /** Ends all timers. */
  close(): void {
    this.#epochTimer.stop();
    this.#timeLimits.stopAll();
  }

  #remove(groups: readonly AbilityGroup[]): void {
    // gearmand begins with the newest ability, and queues the job that was grabbed last first.
    for (const { jobs } of inOrder(groups)) {
      for (const job of [...jobs].reverse()) this.#loseJob(job);
    }
    for (const group of groups) sendNoops(this.#state.removeAbilities(group));
  }

  /**
   * Takes a job from a worker that left, cannot do its function any more, or exceeded its time limit. Its clients get a
   * packet only if the job ends with that.
   */
  #loseJob(job: ServerJob): void {
    this.#timeLimits.stop(job);
    const woken = this.#state.requeue(job);
    if (woken !== undefined) {
      sendNoops(woken);
    } else {
      sendFailure(job);
      this.#state.finish(job);
    }
  }

  #onTimer(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#onError(error); // uncaught, it would end the process
    }
  }

  /** Queues the epoch jobs that are due; they wake workers as new jobs do. */
  #queueDueJobs(): void {
    const now = Date.now();
    while (this.#state.nextDue <= now) {
      sendNoops(this.#state.queueFirstWaiting());
    }
  }
}

/** NOOP is only a hint: one of the workers gets the job, and the others NO_JOB. */
function sendNoops(workers: readonly Participant[]): void {
  for (const worker of workers) worker.send(PacketType.NOOP);
}

function sendFailure(job: ServerJob): void {
  for (const client of job.subscribers()) client.send(PacketType.WORK_FAIL, job.handle);
}
