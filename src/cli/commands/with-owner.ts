import { existsSync } from 'node:fs';
import { Accounts } from '../../accounts/accounts.ts';
import { claimDataFolder } from '../../accounts/data-folder.ts';
import type { OwnerCalls } from '../../accounts/owner-calls.ts';
import { People } from '../../accounts/people.ts';
import { type ConfigSurroundings, type KeepingConfig, readKeepingConfig } from '../../config/config.ts';
import { CareProblem } from '../../lanes/care-calls.ts';
import { Lanes } from '../../lanes/lanes.ts';
import { publishedAddress } from '../control/control-address.ts';
import { callsOfServer, NoServerError } from '../control/control-client.ts';
import { textLog } from '../logging/process-log.ts';
import type { OwnerAccess } from './command.ts';

type Work = (calls: OwnerCalls) => Promise<0 | 1>;

/** Lets commands be carried out by the running server, or, when none runs on the data folder, by this process. */
export function ownerAccess(surroundings: ConfigSurroundings): OwnerAccess {
  return async (work, { makesFolder = false } = {}) => {
    const config = readKeepingConfig(surroundings);
    if (!('base' in config)) throw new CareProblem(config.join('\n'));
    if (!makesFolder && !existsSync(config.base)) {
      throw new CareProblem(`SYNC_BASE: there is no folder ${config.base}.`);
    }
    const address = publishedAddress(config.base);
    if (address !== undefined) {
      try {
        return await work(callsOfServer(address));
      } catch (error) {
        if (!(error instanceof NoServerError)) throw error;
      }
    }
    return withoutServer(config, work);
  };
}

async function withoutServer(config: KeepingConfig, work: Work): Promise<0 | 1> {
  const { base, users, deviceKeys } = config;
  const claim = claimDataFolder(base, users);
  if (claim.kind === 'problems') throw new CareProblem(claim.problems.join('\n'));
  const { lock, store } = claim.folder;
  const log = textLog('warn', process.stderr);
  const accounts = new Accounts(users, base, { store, deviceKeys, log });
  const lanes = new Lanes({ ...config, policy: config.keeping, log });
  try {
    const people = new People({ base, accounts, store, syncs: lanes.ending, log });
    const exitCode = await work({ care: lanes.care, people });
    await lanes.safekeeping.idle();
    return exitCode;
  } finally {
    await lanes.close();
    store.close();
    lock.release();
  }
}
