import type { CareCalls } from '../../lanes/care-calls.ts';
import { countsText } from './backups.ts';
import { sizeText } from './table.ts';

/** `backup <user>`: makes a backup now. */
export async function backupCommand(care: CareCalls, user: string): Promise<0> {
  const { id, bytes, facts } = await care.backUp({ user });
  console.log(`Made ${id}, ${sizeText(bytes)}${facts === undefined ? '' : `: ${countsText(facts)}`}.`);
  return 0;
}
