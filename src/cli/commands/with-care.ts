import { existsSync } from 'node:fs';
import { type CareCalls, CareProblem } from '../../accounts/care-calls.ts';
import { claimDataFolder } from '../../accounts/data-folder.ts';
import { Lanes } from '../../accounts/lanes.ts';
import { type ConfigSurroundings, type KeepingConfig, readKeepingConfig } from '../../config/config.ts';
import { publishedAddress } from '../control/control-address.ts';
import { careOfServer, NoServerError } from '../control/control-client.ts';
import { textLog } from '../text-log.ts';

/** Runs a command by the running server, or, when none runs on the data folder, by this process. */
export async function withCare(
  surroundings: ConfigSurroundings,
  command: (care: CareCalls) => Promise<0 | 1>,
): Promise<0 | 1> {
  const config = readKeepingConfig(surroundings);
  if (!('base' in config)) throw new CareProblem(config.join('\n'));
  if (!existsSync(config.base)) throw new CareProblem(`SYNC_BASE: there is no folder ${config.base}.`);
  const address = publishedAddress(config.base);
  if (address !== undefined) {
    try {
      return await command(careOfServer(address));
    } catch (error) {
      if (!(error instanceof NoServerError)) throw error;
    }
  }
  return withoutServer(config, command);
}

async function withoutServer(config: KeepingConfig, command: (care: CareCalls) => Promise<0 | 1>): Promise<0 | 1> {
  const claim = claimDataFolder(config.base, []);
  if (claim.kind === 'problems') throw new CareProblem(claim.problems.join('\n'));
  const lanes = new Lanes({ ...config, policy: config.keeping, log: textLog('warn', process.stderr) });
  try {
    const exitCode = await command(lanes.care);
    await lanes.safekeeping.idle();
    return exitCode;
  } finally {
    await lanes.close();
    claim.folder.lock.release();
  }
}
