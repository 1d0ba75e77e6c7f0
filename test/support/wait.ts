// Waits for what a test cannot await.

/** Waits until a condition is true, and checks it every 2 ms; the timeout of the test ends it. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!await condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Waits `count` turns of the event loop, until everything has run that does not wait for I/O or a time. */
export async function turns(count = 5): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => setTimeout(resolve, 0));
}
