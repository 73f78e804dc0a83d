import assert from 'node:assert/strict';
import { globSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packedBackup, waitFor } from '../backup/wait.ts';
import { RawStatusError } from '../support/raw-client.ts';
import { type Server, startServer } from '../support/server.ts';
import { fastFolder } from './fast-folder.ts';
import { type UploadFile, uploadFile } from './script.ts';
import { SyncDevice } from './sync-device.ts';

/** A note that the account has besides the uploaded ones; the next ids are free. */
export const noteId = 1_500_000_000_001;
const logMsMax = 10_000;
/** The server is asked for its health as the first user, whose files stay sound. */
const users = ['healthy', 'ann'];

/** An account with something of everything. */
export class World implements AsyncDisposable {
  readonly server: Server;
  readonly device: SyncDevice;
  readonly file: UploadFile;

  static async start(): Promise<World> {
    const base = fastFolder('damaged-');
    const server = await startServer({ kind: 'ours', base, users, passwords: 'plain' });
    const world = new World(server, await uploadFile('rich.anki2'));
    await world.device.upload(world.file.bytes, world.file.state);
    await world.device.sync({ noteIds: [noteId] });
    await world.device.sendMedia([
      ['a.jpg', 'content of a'],
      ['b.jpg', 'content of b'],
    ]);
    // The backup that follows a sync would else come in between.
    await packedBackup(server, 'ann', 'daily');
    await waitFor(() => server.log.includes('Made a backup user="ann"'));
    return world;
  }

  private constructor(server: Server, file: UploadFile) {
    this.server = server;
    this.file = file;
    this.device = new SyncDevice(server.rawClient('ann'));
  }

  /** `<SYNC_BASE>/ann` */
  get folder(): string {
    return path.join(this.server.base, 'ann');
  }

  path(name: string): string {
    return path.join(this.folder, name);
  }

  /** Is there a file with these bytes, under whatever name? */
  keeps(bytes: Buffer): boolean {
    const files = globSync('**/*', { cwd: this.folder }).map((name) => this.path(name));
    return files.some((file) => statSync(file).isFile() && readFileSync(file).equals(bytes));
  }

  /** The log names the file and says that something is wrong with it. The line comes a moment after the answer. */
  async assertLogged(name: string): Promise<void> {
    const isLogged = () =>
      this.server.log.split('\n').some((line) => / (?:ERROR|WARN) /.test(line) && line.includes(name));
    const deadlineMs = performance.now() + logMsMax;
    while (!isLogged() && performance.now() < deadlineMs) await sleep(10);
    assert.ok(isLogged(), `the log names ${name}:\n${this.server.log}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    rmSync(this.server.base, { recursive: true, force: true });
  }
}

/** An answer that says no. */
export const isRefused = (error: unknown) => error instanceof RawStatusError && error.status >= 400;

export function overwrite(file: string, from: number, to: number): void {
  const bytes = readFileSync(file);
  bytes.fill(0xff, from, Math.min(to, bytes.length));
  writeFileSync(file, bytes);
}

/** Damages that are seen as soon as the file is opened. */
export const atOnce: Readonly<Record<string, (file: string) => void>> = {
  'without its header': (file) => overwrite(file, 0, 100),
  'cut in half': (file) => truncateSync(file, Math.floor(statSync(file).size / 2 / 4096) * 4096),
  'with nothing but zeros': (file) => writeFileSync(file, Buffer.alloc(statSync(file).size)),
};
/** Damages that only show when the pages are read. */
export const inside: Readonly<Record<string, (file: string) => void>> = {
  'with pages in the middle overwritten': (file) => overwrite(file, 200_000, 220_000),
  'with its last pages overwritten': (file) => overwrite(file, statSync(file).size - 40_000, statSync(file).size),
};

/** A download that did not give the whole file: refused, or broken off before its end when the check took longer. */
export function isNotGiven(error: unknown): boolean {
  return isRefused(error) || (error instanceof Error && /aborted|hang up|ECONNRESET/.test(error.message));
}
