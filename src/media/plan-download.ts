import { mediaZipSoftBytesMax } from '../limits.ts';
import type { MediaEntry } from './media-db.ts';

/** A file to send: its name and what the index says about it. */
export interface WantedFile {
  readonly name: string;
  readonly entry: MediaEntry;
}

export type DownloadPlan =
  | { readonly kind: 'send'; readonly files: readonly WantedFile[] }
  | { readonly kind: 'unavailable'; readonly name: string };

/**
 * The first files of the list, exactly in its order: the client drops as many names from the front of its list as it
 * got files. The file that passes the soft limit is the last one; names behind it are not looked at.
 */
export function planDownload(
  names: readonly string[],
  entryOf: (name: string) => MediaEntry | undefined,
  softBytesMax: number = mediaZipSoftBytesMax,
): DownloadPlan {
  const files: WantedFile[] = [];
  let bytes = 0;
  for (const name of names) {
    const entry = entryOf(name);
    if (entry === undefined || entry.size === 0) return { kind: 'unavailable', name };
    files.push({ name, entry });
    bytes += entry.size;
    if (bytes > softBytesMax) break;
  }
  return { kind: 'send', files };
}
