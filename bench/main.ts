/** The benchmark: `npm run bench -- --help` tells its options. */
import path from 'node:path';
import { messageOf } from '../src/errors.ts';
import { newestClient } from '../test/support/clients.ts';
import { preparePythonEnv } from '../test/support/python-envs.ts';
import { benchmark } from './benchmark.ts';
import { type Options, readOptions, usage } from './options.ts';
import { SCENARIOS } from './scenarios/all.ts';
import { limitedCommand } from './servers/limits.ts';
import { projectFolder, type ServerCommands } from './servers/server-process.ts';

process.exitCode = await main();

async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${messageOf(error)}\n\n${usage}`);
    return 1;
  }
  if (options.help) console.log(usage);
  else if (options.list) for (const { name, title } of SCENARIOS) console.log(`${name.padEnd(16)}${title}`);
  else return run(options);
  return 0;
}

async function run(options: Options): Promise<number> {
  if (process.platform !== 'linux') {
    console.error('The benchmark reads processor time and memory from /proc, which only Linux has.');
    return 1;
  }
  const { prefix, notes, release } = limitedCommand(options.limits);
  const commands: ServerCommands = {
    ours: [path.join(projectFolder, 'bin/anki-sync-server')],
    official: options.servers.includes('official') ? await officialCommand() : undefined,
    prefix,
  };
  try {
    return await benchmark({ options, commands, notes, cacheFolder: path.join(projectFolder, '.cache/bench') });
  } finally {
    release();
  }
}

/** The server that comes with Anki's package on PyPI. */
async function officialCommand(): Promise<readonly string[]> {
  const client = await preparePythonEnv(newestClient);
  if (client.kind === 'missing') throw new Error(`The official server cannot be had: ${client.reason}`);
  return [client.python, '-m', 'anki.syncserver'];
}
