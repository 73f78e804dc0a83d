import { type MediaChange, sha1Of } from '../sync-device.ts';
import type { Reply } from './collection-model.ts';

/** One user's media index: hash and usn by name; a deleted file has no hash. */
export interface MediaModel {
  readonly usn: number;
  readonly entries: ReadonlyMap<string, { readonly sha1: string; readonly usn: number }>;
}

export type MediaRequest =
  | { readonly kind: 'uploadChanges'; readonly changes: readonly MediaChange[] }
  | { readonly kind: 'mediaChanges' | 'mediaSanity' };

/** As `collectionStep`, for media. */
export function mediaStep(state: MediaModel, request: MediaRequest, reply: Reply | undefined): MediaModel[] {
  const data =
    reply === undefined ? undefined : reply.status === 200 ? JSON.parse(reply.body.toString()).data : 'refused';
  switch (request.kind) {
    case 'uploadChanges': {
      const after = changed(state, request.changes);
      return data === undefined || isSame(data, [request.changes.length, after.usn]) ? [after] : [];
    }
    case 'mediaChanges':
      return data === undefined || isSame(data, changesOf(state)) ? [state] : [];
    case 'mediaSanity':
      return data === undefined || data === 'OK' || data === 'mediaSanity' ? [state] : [];
    default:
      return request satisfies never;
  }
}

/** Records as `mediaChanges` sends them to a new client. */
export function changesOf({ entries }: MediaModel): unknown[] {
  return [...entries].map(([name, { sha1, usn }]) => [name, usn, sha1]).sort((a, b) => Number(a[1]) - Number(b[1]));
}

function changed(state: MediaModel, changes: readonly MediaChange[]): MediaModel {
  const entries = new Map(state.entries);
  let { usn } = state;
  for (const [name, content] of changes) {
    const before = entries.get(name)?.sha1 ?? '';
    const sha1 = content === null ? '' : sha1Of(content);
    if (before === sha1) continue;
    usn += 1;
    entries.set(name, { sha1, usn });
  }
  return { usn, entries };
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

export function mediaText(state: MediaModel): string {
  return JSON.stringify([state.usn, changesOf(state)]);
}
