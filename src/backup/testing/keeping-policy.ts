import type { KeepingPolicy } from '../retention.ts';

/** What is kept when nothing else is set. */
export const keepingPolicy: KeepingPolicy = {
  replacedDays: 30,
  days: 14,
  weeks: 8,
  months: 12,
  bytesMax: 0,
  trashDays: 30,
  trashBytesMax: 0,
};
