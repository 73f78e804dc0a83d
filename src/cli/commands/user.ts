import { newArgon2idHash } from '../../accounts/new-hash.ts';
import type { ListedUser, PeopleCalls } from '../../accounts/people-calls.ts';
import { CareProblem } from '../../lanes/care-calls.ts';
import { readLine, readNewPassword } from './read-password.ts';
import { sizeText, tableLines, timeText } from './table.ts';

const HEAD = ['USER', 'STATE', 'FROM', 'DEVICES', 'LAST SEEN', 'SIZE'];

/** A hash of the password that is asked for; with `isHashed`, the PHC text on standard input itself. */
export async function readPasswordHash(isHashed: boolean): Promise<string> {
  return isHashed ? readLine('PHC hash:') : newArgon2idHash(await readNewPassword());
}

/** `user list` */
export async function userListCommand(people: PeopleCalls): Promise<0> {
  const users = await people.listUsers({});
  if (users.length === 0) console.log('There are no users yet. "anki-sync-server user add <user>" makes one.');
  else console.log(tableLines([HEAD, ...users.map(rowOf)], [3, 5]).join('\n'));
  return 0;
}

function rowOf({ name, isEnabled, variable, devices, lastSeenMs, bytes }: ListedUser): string[] {
  return [
    name,
    isEnabled ? 'enabled' : 'disabled',
    variable ?? 'stored',
    devices === undefined ? 'one key' : String(devices),
    lastSeenMs === undefined ? 'unknown' : timeText(lastSeenMs),
    sizeText(bytes),
  ];
}

/** `user add <user>` */
export async function userAddCommand(people: PeopleCalls, user: string, passwordHash: string): Promise<0> {
  const { hasData } = await people.addUser({ user, passwordHash });
  console.log(
    `Added ${user}.${hasData ? ' There was a folder with a collection of that name, which is theirs now.' : ''}`,
  );
  return 0;
}

/** `user password <user>` */
export async function userPasswordCommand(people: PeopleCalls, user: string, passwordHash: string): Promise<0> {
  const { devices } = await people.changePassword({ user, passwordHash });
  console.log(`Changed the password of ${user}. ${devicesText(devices)} must log in again.`);
  return 0;
}

/** `user rename <user> <name>` */
export async function userRenameCommand(people: PeopleCalls, user: string, target: string): Promise<0> {
  await people.renameUser({ user, target });
  console.log(`Renamed ${user} to ${target}. Devices go on as they are; who logs in from now on types the new name.`);
  return 0;
}

/** `user enable <user>`, `user disable <user>` */
export async function userEnableCommand(people: PeopleCalls, user: string, isEnabled: boolean): Promise<0> {
  await people.setUserEnabled({ user, isEnabled });
  console.log(isEnabled ? `Enabled ${user}.` : `Disabled ${user}: no device of theirs can sync now.`);
  return 0;
}

/** `user remove <user> [--delete-data <user>]`: the name typed twice is the only way to lose data. */
export async function userRemoveCommand(people: PeopleCalls, user: string, dataOf: string | undefined): Promise<0> {
  if (dataOf !== undefined && dataOf !== user) {
    throw new CareProblem(`To delete the data too, type --delete-data ${user}. Nothing was changed.`);
  }
  const { keptIn } = await people.removeUser({ user, deleteData: dataOf !== undefined });
  console.log(
    keptIn === undefined ? `Removed ${user} with all data.` : `Removed ${user}. The data are kept in ${keptIn}.`,
  );
  return 0;
}

/** `3 devices`, `1 device` */
export function devicesText(devices: number): string {
  return devices === 1 ? '1 device' : `${devices} devices`;
}
