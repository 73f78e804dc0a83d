import type { KeepingPolicy } from '../backup/retention.ts';
import { MiB } from '../limits.ts';
import { type Environment, quoted, type Setting } from './setting.ts';

export const KEEPING_SETTINGS: readonly Setting[] = [
  {
    name: 'SYNC_BACKUP_REPLACED_DAYS',
    byDefault: '30',
    meaning: 'How many days a collection is kept that a full upload or a restore has replaced.',
  },
  {
    name: 'SYNC_BACKUP_DAYS',
    byDefault: '14',
    meaning: 'Daily backups are kept for so many days on which the collection changed; 0 for none.',
  },
  {
    name: 'SYNC_BACKUP_WEEKS',
    byDefault: '8',
    meaning: 'The newest daily backup of a week is kept for so many weeks with changes.',
  },
  {
    name: 'SYNC_BACKUP_MONTHS',
    byDefault: '12',
    meaning: 'The newest daily backup of a month is kept for so many months with changes.',
  },
  {
    name: 'SYNC_BACKUP_MAX_MEGS',
    byDefault: '4096',
    meaning:
      'When the backups of a user are larger, in MiB, the oldest daily ones go, then manual ones; never replaced collections within their days. 0 for no limit.',
  },
  {
    name: 'SYNC_TRASH_DAYS',
    byDefault: '30',
    meaning: 'How many days a media file is kept that a device has replaced or deleted.',
  },
  {
    name: 'SYNC_TRASH_MAX_MEGS',
    byDefault: '0',
    meaning: 'When the media trash of a user is larger, in MiB, the oldest files go. 0 for no limit.',
  },
];

/** Highest of the numbers that tell how long or how much to keep. */
const keepingMax = 1_000_000;

/** How long backups and displaced media are kept. */
export function readKeeping(env: Environment, problems: string[]): KeepingPolicy {
  const read = (variable: string, text: string | undefined): number => {
    const byDefault = KEEPING_SETTINGS.find(({ name }) => name === variable)?.byDefault;
    if (text === undefined) return Number(byDefault);
    if (/^\d{1,7}$/.test(text) && Number(text) <= keepingMax) return Number(text);
    problems.push(
      `${variable}: ${quoted(text)} is not a number from 0 to ${keepingMax}. Use one such as ${byDefault}.`,
    );
    return 0;
  };
  return {
    replacedDays: read('SYNC_BACKUP_REPLACED_DAYS', env['SYNC_BACKUP_REPLACED_DAYS']),
    days: read('SYNC_BACKUP_DAYS', env['SYNC_BACKUP_DAYS']),
    weeks: read('SYNC_BACKUP_WEEKS', env['SYNC_BACKUP_WEEKS']),
    months: read('SYNC_BACKUP_MONTHS', env['SYNC_BACKUP_MONTHS']),
    bytesMax: read('SYNC_BACKUP_MAX_MEGS', env['SYNC_BACKUP_MAX_MEGS']) * MiB,
    trashDays: read('SYNC_TRASH_DAYS', env['SYNC_TRASH_DAYS']),
    trashBytesMax: read('SYNC_TRASH_MAX_MEGS', env['SYNC_TRASH_MAX_MEGS']) * MiB,
  };
}
