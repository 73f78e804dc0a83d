import path from 'node:path';
import { payloadMegsDefault } from '../limits.ts';
import { quoted, type Setting } from './setting.ts';

export const DATA_SETTINGS: readonly Setting[] = [
  {
    name: 'SYNC_BASE',
    byDefault: '.syncserver in the home folder',
    meaning: "Folder for all data. Each user gets a folder in it. Never Anki's own folder.",
  },
  {
    name: 'MAX_SYNC_PAYLOAD_MEGS',
    byDefault: String(payloadMegsDefault),
    meaning: 'Largest request in MiB as sent; three times that after decompression.',
  },
];

/** Absolute path of the data folder; it need not exist. */
export function readBase(text: string | undefined, homeFolder: string | undefined, problems: string[]): string {
  if (text === '') problems.push('SYNC_BASE is empty. Set it to the folder for the data, or unset it.');
  if (text !== undefined) return path.resolve(text);
  if (homeFolder !== undefined) return path.join(homeFolder, '.syncserver');
  problems.push('SYNC_BASE is not set, and there is no home folder. Set it to the folder for the data.');
  return '';
}

/** Largest request, MiB. */
export function readPayloadMegs(text: string | undefined, problems: string[]): number {
  if (text === undefined) return payloadMegsDefault;
  if (/^\+?0*[1-9]\d{0,6}$/.test(text)) return Number(text);
  problems.push(`MAX_SYNC_PAYLOAD_MEGS: ${quoted(text)} is not a number of MiB from 1 on. Use one such as 100.`);
  return payloadMegsDefault;
}
