import { inSync } from './handler.ts';

/** `finish`: commits the sync. The answer, a bare integer, is the collection's new modification time in milliseconds. */
export const answerFinish = inSync(
  () => undefined,
  (work, _content, collection, context) => collection.finish(work, context.nowMs),
);
