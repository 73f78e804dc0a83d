import { createHash } from 'node:crypto';
import { isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';
import { SyncError } from '../errors.ts';
import type { Log } from '../log.ts';
import { FailureCounter } from './failure-counter.ts';

/** Failures are forgotten after this time, and too many of them close the door for as long, seconds. */
const windowSecs = 15 * 60;
/** Failed logins of one address, of any users: a school has many people behind one address. */
export const addressFailuresMax = 100;
/**
 * Failed logins of one user, from all addresses that this user has never synced from, or from one that is known. Somebody
 * may try a forgotten password on several devices in one evening; guessers get 3,000 tries a day.
 */
export const userFailuresMax = 30;
/** Addresses that are remembered, about 500 bytes each. */
const addressesMax = 10_000;
/** Names that are remembered, of users and of nobody. */
const namesMax = 10_000;
/** Addresses from which a user has synced, the last ones. */
const knownAddressesMax = 16;
/** Users whose addresses are remembered. */
const knownUsersMax = 10_000;
const nameCharsLogged = 100;

/** Where an attempt comes from. */
export interface Caller {
  /** IP address, or something else where there is none. */
  readonly ip: string;
  /** The address is that of a proxy that does not tell whose attempt it is. */
  readonly isShared: boolean;
}

export interface LoginThrottleOptions {
  readonly log: Log;
  /** Is there a user of this name? Names of nobody are counted apart, so that they cannot push users out of memory. */
  isUser(name: string): boolean;
}

/**
 * Slows down whoever guesses passwords, before anything is hashed. Only logins are refused: devices that have their key
 * sync on, whatever happens. From an address where a user has synced, only failures with that name count, so neither
 * strangers nor neighbours lock anybody out of a place where a device is at home. A right password does not take failures back: with one
 * account of their own guessers could else go on for ever.
 */
export class LoginThrottle {
  readonly #options: LoginThrottleOptions;
  readonly #addresses = new FailureCounter({ failuresMax: addressFailuresMax, windowSecs, keysMax: addressesMax });
  readonly #users = new FailureCounter({ failuresMax: userFailuresMax, windowSecs, keysMax: namesMax });
  readonly #nobodies = new FailureCounter({ failuresMax: userFailuresMax, windowSecs, keysMax: namesMax });
  /** User to networks, each in the order of their last use. */
  readonly #known = new Map<string, Set<string>>();

  constructor(options: LoginThrottleOptions) {
    this.#options = options;
  }

  /**
   * Runs `check`, which throws `hostKeyRejected` for a wrong name or password. Throws `tooManyLogins` instead of running
   * it when there were too many failures.
   */
  async guard<Result>(attempt: { user: string; from: Caller }, check: () => Promise<Result>): Promise<Result> {
    const { user, from } = attempt;
    const taken: (() => Promise<void>)[] = [];
    const giveBack = () => Promise.all(taken.map((each) => each()));
    for (const { counter, key } of this.#counters(user, from)) {
      const waitMs = await counter.take(key);
      if (waitMs === undefined) {
        taken.push(() => counter.giveBack(key));
        continue;
      }
      await giveBack(); // Nothing was tried: this must not close the other doors.
      this.#logRefusal({ ...from, user }, 'too many failed logins');
      const minutes = Math.max(1, Math.ceil(waitMs / 60_000));
      throw new SyncError('tooManyLogins', `Cannot log in: too many failed logins, try again in ${minutes} minutes`);
    }
    try {
      const result = await check();
      await giveBack();
      this.sawUser(user, from);
      return result;
    } catch (error) {
      const isWrong = error instanceof SyncError && error.code === 'hostKeyRejected';
      if (isWrong) this.#logRefusal({ ...from, user }, 'wrong name or password');
      else await giveBack();
      throw error;
    }
  }

  /** Somebody sent a host key that is not good. Keys cannot be guessed, but who tries is not to guess passwords either. */
  async sawWrongKey(from: Caller): Promise<void> {
    this.#logRefusal(from, 'unknown host key');
    const network = networkOf(from);
    if (network !== undefined) await this.#addresses.take(network);
  }

  /** A device of this user has shown its key, or somebody knew the password. */
  sawUser(user: string, from: Caller): void {
    const network = networkOf(from);
    if (network === undefined) return;
    const networks = this.#known.get(user) ?? new Set();
    if (networks.size === 0) {
      this.#known.set(user, networks);
      dropOldest(this.#known, knownUsersMax);
    }
    networks.delete(network);
    networks.add(network);
    dropOldest(networks, knownAddressesMax);
  }

  #counters(user: string, from: Caller): { readonly counter: FailureCounter; readonly key: string }[] {
    const network = networkOf(from);
    const isAtHome = network !== undefined && this.#known.get(user)?.has(network) === true;
    const name = createHash('sha256').update(user).digest('base64'); // Names from outside may be long.
    const counter = this.#options.isUser(user) ? this.#users : this.#nobodies;
    // What others do at the same address, behind the router of a school or of a container, does not concern those who
    // are at home there.
    if (isAtHome) return [{ counter, key: `${name}@${network}` }];
    return [...(network === undefined ? [] : [{ counter: this.#addresses, key: network }]), { counter, key: name }];
  }

  /**
   * The one line that others may rely on, such as fail2ban: text and address come first, before anything that a
   * stranger has written.
   */
  #logRefusal(who: Caller & { readonly user?: string }, reason: string): void {
    const { ip, isShared, user } = who;
    const address = isShared ? { addr: 'unknown', via: ip } : { addr: ip };
    const name = user === undefined ? {} : { user: user.slice(0, nameCharsLogged) };
    this.#options.log.warn({ ...address, reason, ...name }, 'login refused');
  }
}

/** What counts as one address: an IPv4 address, or an IPv6 network of 64 bits, which is what one customer has. */
export function networkOf({ ip, isShared }: Caller): string | undefined {
  if (isShared) return undefined;
  if (isIPv4(ip)) return ip;
  if (!ipaddr.isValid(ip)) return undefined;
  const address = ipaddr.process(ip);
  if (address.kind() === 'ipv4') return address.toString();
  return `${Buffer.from(address.toByteArray().slice(0, 8)).toString('hex')}::/64`;
}

/** Maps and sets keep the order in which keys came. */
function dropOldest(entries: Map<string, unknown> | Set<string>, max: number): void {
  for (const key of entries.keys()) {
    if (entries.size <= max) return;
    entries.delete(key);
  }
}
