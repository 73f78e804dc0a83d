import type { Quota } from '../lanes/quota.ts';
import { MiB } from '../limits.ts';
import { type Environment, quoted, type Setting } from './setting.ts';

export const QUOTA_SETTINGS: readonly Setting[] = [
  {
    name: 'SYNC_QUOTA_COLLECTION_MEGS',
    byDefault: '0',
    meaning: 'Largest collection that a user may upload, in MiB; ordinary syncs are never refused. 0 for no limit.',
  },
  {
    name: 'SYNC_QUOTA_MEDIA_MEGS',
    byDefault: '0',
    meaning: 'All media of a user, in MiB, without backups and trash. 0 for no limit.',
  },
];

/** How much each user may store. */
export function readQuota(env: Environment, problems: string[]): Quota {
  const read = (variable: string, text = '0'): number | undefined => {
    if (/^\d{1,7}$/.test(text)) return Number(text) === 0 ? undefined : Number(text) * MiB;
    problems.push(`${variable}: ${quoted(text)} is not a number of MiB. Use one such as 500, or 0 for no limit.`);
    return undefined;
  };
  return {
    collectionBytesMax: read('SYNC_QUOTA_COLLECTION_MEGS', env['SYNC_QUOTA_COLLECTION_MEGS']),
    mediaBytesMax: read('SYNC_QUOTA_MEDIA_MEGS', env['SYNC_QUOTA_MEDIA_MEGS']),
  };
}
