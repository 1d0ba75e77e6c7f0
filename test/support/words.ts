// What comes of a job, in a form that a failed comparison shows well.

import type { Job, JobEvent } from "../../mod.ts";
import { text } from "./bytes.ts";

/** What comes of a job, as words. */
export async function wordsOf(job: Job): Promise<string[]> {
  const words: string[] = [];
  const word = (event: JobEvent) => "data" in event ? `${event.type} ${text(event.data)}` : event.type;
  try {
    for await (const event of job) words.push(word(event));
  } catch (error) {
    words.push((error as Error).name);
  }
  return words;
}
