import { causesOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { digestOf, newHostKey, settingProof } from './host-key.ts';
import type { AccountStore, StoredDevice } from './store/account-store.ts';

/** Devices of one user that may be logged in at a time; the one that was not used for longest makes room. */
export const devicesPerUserMax = 32;
/** When a device was used last is written at most this often, milliseconds: disks should sleep, and cards live long. */
const sightingsWriteMs = 10 * 60 * 1000;
/** What a client may call itself, characters. */
const clientCharsMax = 100;

/** Where a request or a login came from, as far as it is known. */
export interface Sighting {
  /** What the client calls itself, such as `26.09.3,abcdef12,linux`. */
  readonly client?: string;
  /** Network address. */
  readonly address?: string;
}

/** A device with a random host key. */
export type Device = Readonly<StoredDevice>;

type KnownDevice = { -readonly [Key in keyof StoredDevice]: StoredDevice[Key] };

/** Who gets a new host key. */
export interface KeyOwner {
  readonly user: string;
  /** The derived key of an environment user, whose random keys hold only as long as the variable stays the same. */
  readonly derivedHostKey?: string | undefined;
}

/** Random host keys and the devices that have them: in memory for every request, on the disk for the next start. */
export class Devices {
  readonly #store: AccountStore;
  readonly #log: Log;
  readonly #byDigest = new Map<string, KnownDevice>();
  readonly #byUser = new Map<string, Set<KnownDevice>>();
  readonly #seen = new Set<KnownDevice>();
  #timer: NodeJS.Timeout | undefined;

  constructor(store: AccountStore, log: Log) {
    this.#store = store;
    this.#log = log;
    this.reload();
  }

  /** Holds what the store holds. */
  reload(): void {
    const devices = this.#store.devices();
    this.#byDigest.clear();
    this.#byUser.clear();
    this.#seen.clear();
    for (const device of devices) this.#remember({ ...device });
  }

  /** The device that has this key. Its user may be gone, or may not sync. */
  byHostKey(hostKey: string): Device | undefined {
    return this.#byDigest.get(digestOf(hostKey));
  }

  /** Oldest first. */
  of(user: string): Device[] {
    return [...(this.#byUser.get(user) ?? [])];
  }

  /** A key for a device that has just logged in. It is on the disk when this returns. */
  issue({ user, derivedHostKey }: KeyOwner, { client = '', address = '' }: Sighting): string {
    const hostKey = newHostKey();
    const nowMs = Date.now();
    const byUse = this.of(user).toSorted((a, b) => a.lastUsedMs - b.lastUsedMs || a.id - b.id);
    const replaced = byUse.slice(0, Math.max(0, byUse.length - (devicesPerUserMax - 1)));
    const device = {
      user,
      keyDigest: digestOf(hostKey),
      settingProof: derivedHostKey === undefined ? null : settingProof(hostKey, derivedHostKey),
      client: printable(client),
      address,
      firstUsedMs: nowMs,
      lastUsedMs: nowMs,
    };
    const replacedIds = replaced.map(({ id }) => id);
    const id = this.#store.addDevice(device, replacedIds);
    for (const old of replaced) this.#forget(old);
    this.#remember({ id, ...device });
    return hostKey;
  }

  /** Notes that a device was used. */
  saw({ keyDigest }: Device, { client = '', address = '' }: Sighting): void {
    const device = this.#byDigest.get(keyDigest);
    if (device === undefined) return;
    device.lastUsedMs = Date.now();
    if (client !== '' && client !== device.client) device.client = printable(client);
    if (address !== '') device.address = address;
    this.#seen.add(device);
    this.#timer ??= setTimeout(() => this.writeSightings(), sightingsWriteMs).unref();
  }

  /** Ends the access of devices, durably. */
  revoke(devices: readonly Device[]): void {
    this.#store.removeDevices(devices.map(({ id }) => id));
    for (const device of devices) this.#forget(device);
  }

  /** The store has removed all devices of a user. */
  forgetAll(user: string): void {
    for (const device of this.of(user)) this.#forget(device);
  }

  /** The store has given the devices of a user to another name. */
  renamed(user: string, target: string): void {
    const devices = this.#byUser.get(user);
    if (devices === undefined) return;
    for (const device of devices) device.user = target;
    this.#byUser.delete(user);
    this.#byUser.set(target, devices);
  }

  /** Writes which devices were used, also before the end of the process. What cannot be written is tried again. */
  writeSightings(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#seen.size === 0) return;
    try {
      this.#store.noteSightings([...this.#seen]);
      this.#seen.clear();
    } catch (error) {
      this.#log.warn({ reason: causesOf(error) }, 'Cannot write when devices were used last');
    }
  }

  #remember(device: KnownDevice): void {
    this.#byDigest.set(device.keyDigest, device);
    const devices = this.#byUser.get(device.user);
    if (devices === undefined) this.#byUser.set(device.user, new Set([device]));
    else devices.add(device);
  }

  #forget({ keyDigest }: Device): void {
    const device = this.#byDigest.get(keyDigest);
    if (device === undefined) return;
    this.#byDigest.delete(keyDigest);
    this.#seen.delete(device);
    const devices = this.#byUser.get(device.user);
    devices?.delete(device);
    if (devices?.size === 0) this.#byUser.delete(device.user);
  }
}

/** Clients choose this text, and it is shown in a terminal. */
function printable(client: string): string {
  return client.slice(0, clientCharsMax).replaceAll(/[^\x20-\x7e]/g, '?');
}
