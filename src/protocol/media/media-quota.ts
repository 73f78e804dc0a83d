import { MiB } from '../../limits.ts';

/** What a user's media take, before and after an upload, bytes. */
export interface MediaGrowth {
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/**
 * May this upload be stored? Whoever is beyond the limit may still do everything that makes the media smaller: deletions,
 * and smaller files in place of larger ones.
 */
export function exceedsMediaQuota({ bytesBefore, bytesAfter }: MediaGrowth, bytesMax: number): boolean {
  return bytesAfter > bytesMax && bytesAfter > bytesBefore;
}

/** What clients show. They try again with every sync, so nothing is lost when there is room later. */
export function mediaQuotaText({ bytesAfter }: MediaGrowth, bytesMax: number): string {
  return `Your media would take ${inMiB(bytesAfter)} on the sync server, which keeps ${inMiB(bytesMax)} for each user. Delete media that you do not need (Tools > Check Media), or ask whoever runs the server.`;
}

/** Such as `12.3 MiB`. */
export function inMiB(bytes: number): string {
  return `${(bytes / MiB).toFixed(1).replace(/\.0$/, '')} MiB`;
}
