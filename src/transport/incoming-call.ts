import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import path from 'node:path';
import type { Accounts } from '../accounts/accounts.ts';
import { SyncError } from '../errors.ts';
import { jsonBytesMax } from '../limits.ts';
import type { Dress, MediaMethod, Message, Payload, SyncMethod } from '../protocol/message.ts';
import type { UserFolder } from '../user-folder.ts';
import { compressionOverheadBytesMax } from './http-limits.ts';
import { type Coding, InflatedFile, InflatedTooLargeError } from './inflated-file.ts';
import { InflatedZip } from './inflated-zip.ts';
import type { SpoolRoom } from './spool.ts';

/** A request that was read whole, with its sender known: what is left to do is to answer it. */
export type IncomingCall =
  | { readonly kind: 'message'; readonly message: Message }
  /** `hostKey`: the sender is about to say who they are. */
  | { readonly kind: 'login'; readonly dress: Dress; readonly payload: Payload }
  /** An `upload` that is larger than this server takes; clients show the answer's text. */
  | { readonly kind: 'uploadTooLarge'; readonly dress: Dress };

/** A request whose address is known and whose body is still to be read. */
export interface OpenCall {
  readonly request: IncomingMessage;
  readonly method: SyncMethod | MediaMethod;
  /** Network address of the sender. */
  readonly address: string;
  /** Hears who the sender is, before the body is read where that is possible. */
  identify(sender: Sender): void;
}

/** For the log. */
export interface Sender {
  readonly user?: string;
  readonly sessionKey?: string;
  readonly clientVersion?: string;
  /** Number of the device, see `Account`. */
  readonly deviceId?: number | undefined;
  /** Known to be the user's. Never logged. */
  readonly hostKey?: string;
}

/** What reading requests takes. */
export interface CallContext {
  readonly accounts: Accounts;
  readonly spoolRoom: SpoolRoom;
  /** `MAX_SYNC_PAYLOAD_MEGS` in bytes. */
  readonly payloadBytesMax: number;
  readonly inflatedBytesMax: number;
  readonly stalledMsMax: number;
}

/** Messages whose payload is a file: it goes to the disk while it arrives. */
export function isFileMethod(method: SyncMethod | MediaMethod): method is 'upload' | 'uploadChanges' {
  return method === 'upload' || method === 'uploadChanges';
}

/** Longest payload of a message as sent, bytes. */
export function sentBytesMax(method: SyncMethod | MediaMethod, context: CallContext): number {
  // Clients compress everything, also what is compressed already. The official server limits files by what comes out.
  if (isFileMethod(method)) return context.inflatedBytesMax + compressionOverheadBytesMax;
  return Math.min(context.payloadBytesMax, jsonBytesMax);
}

export function tooLong(bytesMax: number): SyncError {
  return new SyncError('payloadTooLarge', `Cannot take the request: longer than ${bytesMax} bytes`);
}

export function unknownHostKey(): SyncError {
  return new SyncError('hostKeyRejected', 'Cannot answer: the host key is not known');
}

export interface FilePayload {
  readonly method: 'upload' | 'uploadChanges';
  readonly folder: UserFolder;
  readonly coding: Coding;
}

/**
 * Lets `fill` put a file payload into the user's incoming folder, decompressed on its way. `fill` returns the number
 * of bytes as sent. `tooLarge` is a collection beyond the limit, for which the protocol has a text instead of a status.
 */
export async function receiveFile(
  { method, folder, coding }: FilePayload,
  context: CallContext,
  fill: (file: InflatedFile) => Promise<number>,
): Promise<Payload | 'tooLarge'> {
  await mkdir(folder.incoming, { recursive: true });
  const target = incomingPath(folder, method);
  // The official server refuses a collection of exactly the limit, and cuts a zip behind it.
  const bytesMax = method === 'upload' ? context.inflatedBytesMax - 1 : context.inflatedBytesMax;
  try {
    await using file = new InflatedFile(target, { coding, bytesMax, isToStay: method === 'upload' });
    if ((await fill(file)) > 0) return { kind: 'file', path: target, byteLength: await file.finish() };
  } catch (error) {
    if (!(error instanceof InflatedTooLargeError)) throw error;
    if (method === 'upload') return 'tooLarge';
    throw mediaTooLarge(bytesMax, error);
  }
  await writeFile(target, '', { flag: 'wx' }); // No body at all is an empty file, which decompressors do not know.
  return { kind: 'file', path: target, byteLength: 0 };
}

/** The same for the zip of an `uploadChanges` in zstd, which stays in memory while it is small. */
export async function receiveZip(
  folder: UserFolder,
  context: CallContext,
  fill: (zip: InflatedZip) => Promise<unknown>,
): Promise<Payload> {
  const bytesMax = context.inflatedBytesMax;
  try {
    await using zip = new InflatedZip(incomingPath(folder, 'uploadChanges'), bytesMax);
    await fill(zip);
    return await zip.finish();
  } catch (error) {
    throw error instanceof InflatedTooLargeError ? mediaTooLarge(bytesMax, error) : error;
  }
}

function incomingPath(folder: UserFolder, method: string): string {
  return path.join(folder.incoming, `${method}-${randomUUID()}`);
}

function mediaTooLarge(bytesMax: number, cause: unknown): SyncError {
  return new SyncError('malformedRequest', `Cannot take the media: larger than ${bytesMax} bytes`, { cause });
}
