import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

const exchanges = path.join(import.meta.dirname, '../fixtures/exchanges');

/** A request of a released client. */
export interface RecordedRequest {
  /** Such as `sync/applyChanges`. */
  readonly target: string;
  readonly header: string | undefined;
  /** The message, where it is JSON. */
  readonly json: unknown;
}

/** All modern requests of the fixtures. */
export function recordedRequests(): RecordedRequest[] {
  return globSync('v11-*/*.json', { cwd: exchanges })
    .filter((file) => !file.endsWith('about.json'))
    .sort()
    .map((file) => {
      const { message, request } = JSON.parse(readFileSync(path.join(exchanges, file), 'utf8'));
      return { target: String(message), header: request.headers['anki-sync'], json: request.json };
    });
}

/** Bodies of files whose name ends like that, each once. */
export function recordedFiles(ending: string): Buffer[] {
  return globSync(`*/*${ending}`, { cwd: exchanges })
    .sort()
    .map((file) => readFileSync(path.join(exchanges, file)));
}

/** Found by fuzzing or made by hand: kept for ever. The folder's name is that of the target. */
export function corpusOf(target: string): Buffer[] {
  const folder = path.join(import.meta.dirname, 'corpus', target);
  return globSync('*', { cwd: folder })
    .sort()
    .map((file) => readFileSync(path.join(folder, file)));
}
