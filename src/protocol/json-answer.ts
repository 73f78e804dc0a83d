import { constants, zstdCompressSync } from 'node:zlib';
import { isJsonObject, type JsonValue, stringifyJson } from '../collection/format/json.ts';
import { plainFrame, shortBytesMax } from '../storage/zstd-plain.ts';
import type { Answer, Dress, SyncMethod } from './message.ts';

/** Level 1: bodies are small and short-lived, and level 3 saves nothing on them. */
const zstdLevel = 1;

/** A JSON body, compressed here if the client expects it. */
export function jsonAnswer(value: JsonValue, dress: Dress): Answer {
  const plain = Buffer.from(stringifyJson(value));
  if (dress === 'legacy') return { kind: 'bytes', bytes: plain };
  const originalBytes = plain.byteLength;
  if (originalBytes <= shortBytesMax) return { kind: 'zstd', bytes: plainFrame(plain), originalBytes };
  const bytes = zstdCompressSync(plain, { params: { [constants.ZSTD_c_compressionLevel]: zstdLevel } });
  return { kind: 'zstd', bytes, originalBytes };
}

/** The answer, with what the log is to say of one that refuses. */
export function reportedAnswer(method: SyncMethod, value: JsonValue, dress: Dress): Answer {
  const refusal = refusalIn(method, value);
  const answer = jsonAnswer(value, dress);
  return refusal === undefined ? answer : { ...answer, report: { refusal } };
}

/** What the client's user is told in place of a sync, in an answer with status 200. */
function refusalIn(method: SyncMethod, value: JsonValue): string | undefined {
  if (!isJsonObject(value)) return undefined;
  if (method === 'meta' && value['cont'] === false) return String(value['msg']);
  return method === 'sanityCheck2' && value['status'] === 'bad' ? 'The sanity check failed' : undefined;
}
