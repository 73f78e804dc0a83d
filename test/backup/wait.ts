import { setTimeout as sleep } from 'node:timers/promises';

const waitMsMax = 15_000;

/** Waits until something has happened behind an answer. */
export async function waitFor(hasHappened: () => boolean): Promise<void> {
  const endsMs = performance.now() + waitMsMax;
  while (!hasHappened()) {
    if (performance.now() > endsMs) throw new Error(`It has not happened after ${waitMsMax} ms: ${hasHappened}`);
    await sleep(20);
  }
}
