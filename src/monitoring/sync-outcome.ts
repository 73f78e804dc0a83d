import { SYNC_ENDINGS, type SyncTally } from '../collection/sync-ended.ts';
import type { MovedCollection, MovedMedia } from '../protocol/report.ts';

/** `normal`: changes of both sides were merged. `upload` and `download`: the whole collection. */
export const SYNC_KINDS = ['normal', 'upload', 'download', 'media'] as const;
export type SyncKind = (typeof SYNC_KINDS)[number];

/** `cut off`: the connection was lost. The others: see `SYNC_ENDINGS`. */
export const SYNC_RESULTS = [...SYNC_ENDINGS, 'cut off'] as const;
export type SyncResult = (typeof SYNC_RESULTS)[number];

/** A sync that is over, one way or the other. */
export interface SyncOutcome {
  readonly kind: SyncKind;
  readonly result: SyncResult;
  readonly user: string;
  readonly sessionKey: string;
  /** What the client calls itself; from outside. */
  readonly client: string;
  readonly elapsedMs: number;
  /** Why it ended otherwise than `done`: a clause in words of this program. */
  readonly why?: string | undefined;
  /** All that is known of the cause; may quote what came from outside. */
  readonly detail?: string | undefined;
  /** Of a normal sync that had begun. */
  readonly tally?: SyncTally | undefined;
  /** Of an upload or download that is done. */
  readonly collection?: MovedCollection;
  /** Of a media sync, also of one that ended early. */
  readonly media?: MovedMedia;
}
