import type { UserFolder } from '../user-folder.ts';
import type { Report } from './report.ts';

export const SYNC_METHODS = [
  'hostKey',
  'meta',
  'start',
  'applyGraves',
  'applyChanges',
  'chunk',
  'applyChunk',
  'sanityCheck2',
  'finish',
  'abort',
  'upload',
  'download',
] as const;
export type SyncMethod = (typeof SYNC_METHODS)[number];

export const MEDIA_METHODS = ['begin', 'mediaChanges', 'uploadChanges', 'downloadFiles', 'mediaSanity'] as const;
export type MediaMethod = (typeof MEDIA_METHODS)[number];

/** How clients dress their messages: `modern` is sync version 11 (header and zstd), `legacy` 8 to 10 (multipart, gzip). */
export type Dress = 'modern' | 'legacy';

/**
 * The payload as it came: small ones in memory and still compressed, the file of an `upload` and the zip of an
 * `uploadChanges` inflated to a file in the user's `incoming` folder, which the receiver deletes or moves.
 */
export type Payload =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array<ArrayBuffer>; readonly coding: 'zstd' | 'gzip' | 'identity' }
  | { readonly kind: 'file'; readonly path: string; readonly byteLength: number };

/** An authenticated message: who, what, and the payload unopened. */
export interface Message {
  readonly folder: UserFolder;
  readonly method: Exclude<SyncMethod, 'hostKey'> | MediaMethod;
  readonly dress: Dress;
  readonly payload: Payload;
  /** Authenticates the user; `begin` hands it out again as media session key. Never logged. */
  readonly hostKey: string;
  /** Tells one sync attempt from another; empty when the client sent none. */
  readonly sessionKey: string;
  /** Short client version of the header or the form field `v`; empty when unknown. */
  readonly clientVersion: string;
  /** Limit of all media of the user, bytes; undefined for any amount. */
  readonly mediaBytesMax?: number;
}

/**
 * What goes back. `bytes` is the plain body, `zstd` the same already compressed. `file` is streamed by the transport,
 * compressed for modern clients, and then disposed of: a private copy is deleted, a live file released.
 */
export type Answer = AnswerContent & { readonly report?: Report };

type AnswerContent =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'zstd'; readonly bytes: Uint8Array<ArrayBuffer>; readonly originalBytes: number }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly byteLength: number;
      readonly afterwards: 'delete' | 'release';
      /** The end of the file may only leave when this resolves; when it rejects the answer is cut off. */
      readonly soundness?: Promise<void>;
      /** Nothing leaves for so long while that is open, milliseconds: if it rejects meanwhile, the client can be told. */
      readonly soundnessWaitMs?: number;
    };
