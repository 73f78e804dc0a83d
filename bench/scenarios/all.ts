import type { Scenario } from '../world.ts';
import { bulk } from './bulk.ts';
import { crowd } from './crowd.ts';
import { download, upload } from './full-sync.ts';
import { media, mediaChanges } from './media.ts';
import { login, memory, start } from './start.ts';
import { status } from './status.ts';
import { dailySync, emptySync } from './sync.ts';

/** In the order of the report. */
export const SCENARIOS: readonly Scenario[] = [
  upload,
  download,
  status,
  emptySync,
  dailySync,
  crowd,
  bulk,
  media,
  mediaChanges,
  start,
  login,
  memory,
];
