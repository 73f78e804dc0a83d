import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import type { CommandResult } from '../backup/commands.ts';
import { childEnvironment } from '../support/environment.ts';
import { RawClient } from '../support/raw-client.ts';
import { type Server, type ServerOptions, startServer } from '../support/server.ts';

const ROOT = path.join(import.meta.dirname, '../..');

/** A data folder that is gone afterwards. */
export class DataFolder implements Disposable {
  readonly base: string;

  constructor(base = mkdtempSync(path.join(tmpdir(), 'anki-people-'))) {
    this.base = base;
  }

  /** The same content in another folder. */
  copy(base: string): DataFolder {
    rmSync(base, { recursive: true, force: true });
    cpSync(this.base, base, { recursive: true });
    return new DataFolder(base);
  }

  [Symbol.dispose](): void {
    rmSync(this.base, { recursive: true, force: true });
  }
}

export interface OwnerOptions {
  /** What standard input holds. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a command on a data folder, as the owner of the server would, with something on standard input. */
export async function owner(
  { base }: { readonly base: string },
  args: readonly string[],
  { input = '', env = {} }: OwnerOptions = {},
): Promise<CommandResult> {
  const child = spawn(process.execPath, ['src/main.ts', ...args], {
    cwd: ROOT,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: childEnvironment({ SYNC_BASE: base, ...env }),
  });
  child.stdin.on('error', () => {}); // Not every command reads it.
  child.stdin.end(input);
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, stdout, stderr };
}

/** The same, for a command that must succeed; returns what it printed. */
export async function ownerDoes(
  folder: { readonly base: string },
  args: readonly string[],
  options: OwnerOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await owner(folder, args, options);
  assert.deepEqual([code, stderr], [0, ''], `${args.join(' ')}: ${stderr}`);
  return stdout;
}

export function addUser(folder: { readonly base: string }, user: string, password: string): Promise<string> {
  return ownerDoes(folder, ['user', 'add', user], { input: `${password}\n` });
}

/** This project's server on a data folder with stored users. */
export async function serverFor(
  folder: DataFolder,
  options: Omit<ServerOptions, 'base' | 'kind' | 'users'> = {},
): Promise<Server> {
  return startServer({ passwords: 'plain', ...options, kind: 'ours', base: folder.base, users: [] });
}

/** The status of a login, and the key that it gave. */
export async function tryLogin(
  server: Pick<Server, 'url'>,
  user: string,
  password: string,
): Promise<{ readonly status: number; readonly key: string }> {
  const reply = await new RawClient(server.url, '').post('sync/hostKey', JSON.stringify({ u: user, p: password }));
  const isGood = reply.status === 200;
  return { status: reply.status, key: isGood ? JSON.parse(reply.body.toString()).key : '' };
}

/** The status of a message that only a known device may send. */
export async function statusOf(server: Pick<Server, 'url'>, hostKey: string): Promise<number> {
  return (await new RawClient(server.url, hostKey).post('msync/begin', '{"v":"test"}')).status;
}
