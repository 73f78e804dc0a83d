import { spawn } from 'node:child_process';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { childEnvironment } from '../support/environment.ts';
import type { Server } from '../support/server.ts';

const ROOT = path.join(import.meta.dirname, '../..');

/** How a command ended. */
export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command of the program on the data folder of a server, as its owner would: without the server's passwords. */
export async function command(server: Pick<Server, 'base'>, ...args: string[]): Promise<CommandResult> {
  const child = spawn(process.execPath, ['src/main.ts', ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: childEnvironment({ SYNC_BASE: server.base }),
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, stdout, stderr };
}
