import type { ListedDevice, PeopleCalls, UserDevices } from '../../accounts/people-calls.ts';
import { CareProblem } from '../../lanes/care-calls.ts';
import { tableLines, timeText } from './table.ts';
import { devicesText } from './user.ts';

const HEAD = ['DEVICE', 'CLIENT', 'FIRST USED', 'LAST USED', 'ADDRESS'];

/** `device list [user]` */
export async function deviceListCommand(people: PeopleCalls, user: string | undefined): Promise<0> {
  const lists = await people.listDevices(user === undefined ? {} : { user });
  console.log(lists.map(listText).join('\n\n') || 'There are no users yet.');
  return 0;
}

function listText({ user, sharedKeyOf, devices }: UserDevices): string {
  const lines = [`${user}:`];
  if (sharedKeyOf !== undefined) {
    lines.push(
      `  all devices share one key, which is made from ${sharedKeyOf}; SYNC_DEVICE_KEYS=on gives each its own`,
    );
  }
  if (devices.length > 0) lines.push(...tableLines([HEAD, ...devices.map(rowOf)], [0]).map((line) => `  ${line}`));
  else if (sharedKeyOf === undefined) lines.push('  no device is logged in');
  return lines.join('\n');
}

function rowOf({ id, client, address, firstUsedMs, lastUsedMs }: ListedDevice): string[] {
  return [String(id), client || 'unknown', timeText(firstUsedMs), timeText(lastUsedMs), address || 'unknown'];
}

/** `device revoke <user> <device>`, `device revoke <user> --all` */
export async function deviceRevokeCommand(
  people: PeopleCalls,
  wish: { readonly user: string; readonly device: string | undefined; readonly isAll: boolean },
): Promise<0> {
  const { user, device, isAll } = wish;
  if ((device === undefined) !== isAll) {
    throw new CareProblem('Name one device by its number, as in "device list", or give --all.');
  }
  if (device !== undefined && !/^\d{1,15}$/.test(device)) {
    throw new CareProblem(`${JSON.stringify(device)} is not the number of a device. "device list" shows them.`);
  }
  const revoked = await people.revokeDevices({ user, ...(device !== undefined && { device: Number(device) }) });
  console.log(`${devicesText(revoked.devices)} of ${user} must log in again to sync.`);
  return 0;
}
