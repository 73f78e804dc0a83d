import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DiskImage } from '../support/faults/disk-image.ts';
import { Faults } from '../support/faults/faults.ts';
import type { TraceRecord } from '../support/faults/trace.ts';
import { startServer } from '../support/server.ts';
import { fastFolder } from './fast-folder.ts';
import type { Operation } from './script.ts';
import { type StoredState, stateOfFolder } from './stored-state.ts';
import { type MediaState, mediaAfter, SyncDevice, sha1Of } from './sync-device.ts';

/** What an account holds between two operations. */
export interface AccountState {
  /** Undefined before the first upload. */
  readonly collection: StoredState | undefined;
  readonly media: MediaState;
}

/** An operation as it was seen to happen; the numbers are places in the trace. */
export interface Step {
  readonly operation: Operation;
  /** Records before its first message. */
  readonly begins: number;
  /** Records before its last answer began to leave the server: from here on it must be there for ever. */
  readonly acknowledged: number;
  readonly after: AccountState;
}

/** A life of one account, with everything that reached the disk meanwhile. */
export interface Recording {
  readonly user: string;
  /** The data folder before; paths of the trace are relative to it. */
  readonly image: DiskImage;
  readonly trace: readonly TraceRecord[];
  readonly steps: readonly Step[];
}

/** Runs the operations against a new server, one after the other. The trace begins before the server starts. */
export async function record(operations: readonly Operation[]): Promise<Recording> {
  const base = fastFolder('recording-');
  using faults = new Faults(base);
  try {
    const image = DiskImage.of(base);
    faults.startTrace();
    await using server = await startServer({ kind: 'ours', base, env: faults.environment });
    const [user = ''] = server.users;
    const device = new SyncDevice(server.rawClient());
    const drafts: { operation: Operation; begins: number; ends: number; after: AccountState }[] = [];
    let media: MediaState = {};
    for (const operation of operations) {
      const before = media;
      const begins = await quietRecords(faults);
      await operation.run(device, server);
      const ends = faults.records;
      await quietRecords(faults);
      media = mediaOnDisk(path.join(base, user, 'media'));
      if (operation.mediaChanges !== undefined) assert.deepEqual(media, mediaAfter(before, operation.mediaChanges));
      drafts.push({
        operation,
        begins,
        ends,
        after: { collection: await stateOfFolder(path.join(base, user)), media },
      });
    }
    await server.stop();
    faults.stopTrace();
    const trace = faults.readTrace();
    const steps = drafts.map(({ operation, begins, ends, after }) => {
      // The last answer: what the server sent after it had answered the message before.
      const acknowledged = lastAnswer(trace, begins, ends);
      return { operation, begins, acknowledged, after };
    });
    return { user, image, trace, steps };
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

function mediaOnDisk(folder: string): MediaState {
  return Object.fromEntries(readdirSync(folder).map((name) => [name, sha1Of(readFileSync(path.join(folder, name)))]));
}

/** Where the last answer between two places of a trace began to be sent. */
function lastAnswer(trace: readonly TraceRecord[], begins: number, ends: number): number {
  let at = trace.slice(0, ends).findLastIndex(({ kind }) => kind === 'send');
  if (at < begins) return ends; // It was no request.
  // Header and body of one answer follow each other.
  while (trace[at - 1]?.kind === 'send') at--;
  return at;
}

/** Waits until nothing is written any more: the work after an answer is done. */
export async function quietRecords(faults: Faults): Promise<number> {
  for (let before = -1; ; ) {
    const now = faults.records;
    if (now === before) return now;
    before = now;
    await sleep(60);
  }
}

/** What the account may hold when everything stops after so many records. */
export function possibleStates({ steps }: Recording, cut: number): readonly AccountState[] {
  let last: AccountState = { collection: undefined, media: {} };
  const possible = [last];
  for (const { begins, acknowledged, after } of steps) {
    if (cut >= acknowledged) {
      last = after;
      possible.length = 0;
      possible.push(after);
    } else if (cut > begins) possible.push(after);
  }
  return possible;
}

/** The operations during or before which that is. */
export function describeCut({ steps, trace }: Recording, cut: number): string {
  const step = steps.findLast(({ begins }) => begins <= cut);
  const where = step === undefined ? 'before the first operation' : `in "${step.operation.name}"`;
  const isDone = step !== undefined && cut >= step.acknowledged ? ', acknowledged' : '';
  return `after ${cut} of ${trace.length} records, ${where}${isDone}`;
}
