/**
 * The abilities of workers: in which order they are served, and how a job finds its worker and a worker its job.
 *
 * A worker may have 100,000 abilities, and a function many workers. So neither looks at all of the other: an ability is a
 * candidate of its worker if there may be a job for it, and otherwise it watches the queue that has none. A step costs
 * logarithmic time, on average over the requests of all peers.
 */

import {
  type Ability,
  AbilityGroup,
  type FunctionQueue,
  type Participant,
  PRIORITIES,
  type PriorityIndex,
} from "./model.ts";

/** Registers an ability: it is served before all others of the worker. */
export function addAbility(worker: Participant, functionQueue: FunctionQueue, timeLimit: number): void {
  let group = worker.abilities.get(functionQueue);
  if (group === undefined) {
    group = new AbilityGroup(worker, functionQueue);
    worker.abilities.set(functionQueue, group);
    functionQueue.workers.add(group);
  }
  worker.firstPlace -= 1;
  const ability: Ability = { group, timeLimit, jobs: new Set(), place: worker.firstPlace };
  moveInOrder(group, ({ abilities }) => abilities.push(ability));
  for (const priority of PRIORITIES) {
    if (functionQueue.queues[priority].size > 0) worker.candidates[priority].add(group);
    // It watches also if there are jobs: a worker that sleeps is not woken for these, but for the next one.
    functionQueue.watchers[priority].add(group);
  }
  worker.abilityCount += 1;
  functionQueue.abilityCount += 1;
}

/** Removes all abilities of one worker for one function; none of their jobs may be running. */
export function removeAbilities(group: AbilityGroup): void {
  const { worker, functionQueue, abilities } = group;
  worker.abilities.delete(functionQueue);
  functionQueue.workers.delete(group);
  for (const priority of PRIORITIES) {
    worker.candidates[priority].delete(group);
    functionQueue.watchers[priority].delete(group);
  }
  worker.abilityCount -= abilities.size;
  functionQueue.abilityCount -= abilities.size;
}

/** Returns abilities in the order in which they are served. */
export function inOrder(groups: Iterable<AbilityGroup>): Ability[] {
  const abilities: Ability[] = [];
  for (const group of groups) {
    for (const ability of group.abilities) abilities.push(ability); // a spread has a limited number of arguments
  }
  return abilities.sort((a, b) => a.place - b.place);
}

/** Makes an ability that was served the last of its worker. */
export function moveToEnd(group: AbilityGroup): void {
  const { worker } = group;
  if (worker.abilityCount === 1) return;
  moveInOrder(group, ({ abilities }) => {
    const served = abilities.shift()!;
    worker.lastPlace += 1;
    served.place = worker.lastPlace;
    abilities.push(served);
  });
}

/** Changes the place of a group; while it changes, the group is in no order. */
function moveInOrder(group: AbilityGroup, change: (group: AbilityGroup) => void): void {
  const orders = group.worker.candidates.filter((candidates) => candidates.delete(group));
  change(group);
  for (const candidates of orders) candidates.add(group);
}

/** Makes the watchers of a queue candidates: a job was put into it, or will be. Returns them. */
export function announceJob(functionQueue: FunctionQueue, priority: PriorityIndex): readonly AbilityGroup[] {
  const watchers = functionQueue.watchers[priority];
  if (watchers.size === 0) return [];
  const announced = [...watchers];
  watchers.clear();
  for (const group of announced) group.worker.candidates[priority].add(group);
  return announced;
}

/** Finds the worker's first ability with queued jobs, whatever the priorities of the jobs of others, as gearmand 1.1 does. */
export function firstWithJobs(worker: Participant): AbilityGroup | undefined {
  let first: AbilityGroup | undefined;
  for (const priority of PRIORITIES) {
    const group = firstWithPriority(worker, priority);
    if (group !== undefined && (first === undefined || group.place < first.place)) first = group;
  }
  return first;
}

/** Finds the worker's first ability with queued jobs of the highest priority that it has jobs of, as gearmand 2.0 does. */
export function firstWithHighestPriority(worker: Participant): AbilityGroup | undefined {
  for (const priority of PRIORITIES) {
    const group = firstWithPriority(worker, priority);
    if (group !== undefined) return group;
  }
  return undefined;
}

/** Finds the first candidate with jobs of a priority; those before it become watchers. */
function firstWithPriority(worker: Participant, priority: PriorityIndex): AbilityGroup | undefined {
  const candidates = worker.candidates[priority];
  for (;;) {
    const group = candidates.first;
    if (group === undefined || group.functionQueue.queues[priority].size > 0) return group;
    candidates.delete(group);
    group.functionQueue.watchers[priority].add(group);
  }
}
