import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { hashText } from '../../../test/helpers/hash-text.ts';
import { userSetting } from '../../../test/helpers/http-harness.ts';
import { silentLog } from '../../log.ts';
import { Accounts } from '../accounts.ts';
import { People } from '../people.ts';
import { AccountStore } from '../store/account-store.ts';

/** Temporary folders of a test file are in here. */
export const root = mkdtempSync(path.join(tmpdir(), 'anki-people-'));
after(() => rmSync(root, { recursive: true, force: true }));

/** Cheap, for the password `pass`. */
export const passHash = hashText({ digest: 'argon2id' });

export interface WorldOptions {
  readonly base?: string;
  readonly users?: readonly string[];
  readonly deviceKeys?: boolean;
}

/** Accounts and the commands on them; `ended` names users whose syncs were to end. */
export class World implements Disposable {
  readonly base: string;
  readonly store: AccountStore;
  readonly accounts: Accounts;
  readonly people: People;
  readonly ended: string[] = [];

  constructor({ base = mkdtempSync(path.join(root, 'base-')), users = ['env:pass'], deviceKeys }: WorldOptions = {}) {
    this.base = base;
    this.store = AccountStore.open(base);
    const options = { store: this.store, ...(deviceKeys !== undefined && { deviceKeys }) };
    this.accounts = new Accounts(users.map(userSetting), base, options);
    const syncs = {
      endUnwelcomeSync: async ({ user }: { user: string }) => void this.ended.push(user),
      whileClosed: async <Result>(_folder: unknown, work: () => Result, beforehand = async () => {}) => {
        await beforehand();
        return work();
      },
    };
    this.people = new People({ base, accounts: this.accounts, store: this.store, syncs, log: silentLog });
  }

  static async withAnn(options: WorldOptions = {}): Promise<World> {
    const world = new World(options);
    await world.people.addUser({ user: 'ann', passwordHash: passHash });
    return world;
  }

  /** The same folder, as after a restart. */
  restarted(options: Omit<WorldOptions, 'base'> = {}): World {
    this[Symbol.dispose]();
    return new World({ ...options, base: this.base });
  }

  [Symbol.dispose](): void {
    this.accounts.close();
    this.store.close();
  }
}
