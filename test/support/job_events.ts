// The events of a job as text, which a failed comparison shows well.

import type { Job, JobEvent } from "../../mod.ts";
import { text } from "./bytes.ts";

/** Describes all events of a job, and at the end the name of its error, if it fails. */
export async function describeEvents(job: Job): Promise<string[]> {
  const events: string[] = [];
  const describe = (event: JobEvent) => "data" in event ? `${event.type} ${text(event.data)}` : event.type;
  try {
    for await (const event of job) events.push(describe(event));
  } catch (error) {
    events.push((error as Error).name);
  }
  return events;
}
