import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { replaceFile } from '../../storage/replace-file.ts';
import { serverFolderName } from '../../user-name.ts';

/** Paths of Unix sockets are at most 104 to 108 bytes long, with the byte that ends them. */
const socketPathBytesMax = 100;

/** Where commands of this machine reach a running server; only the account that runs it gets in. */
export interface ControlAddress {
  /** Of a Unix domain socket, or the name of a pipe on Windows. */
  readonly path: string;
  /** Is gone with the server; empty for a pipe. */
  readonly folder: string;
}

/**
 * The places where a server may listen, the best one first: in the data folder, or, where its path is too long or its
 * file system has no sockets, in the folder for temporary files. The caller owns the data folder.
 */
export function controlAddresses(base: string): (() => ControlAddress)[] {
  if (process.platform === 'win32') {
    return [() => ({ path: `\\\\.\\pipe\\anki-sync-server-${randomUUID()}`, folder: '' })];
  }
  const inBase = path.join(base, serverFolderName, 'control');
  const inTemp = (): ControlAddress => {
    const folder = mkdtempSync(path.join(tmpdir(), 'anki-sync-')); // Nobody else may enter it.
    return { path: path.join(folder, 'socket'), folder };
  };
  const socket = path.join(inBase, 'socket');
  if (Buffer.byteLength(socket) > socketPathBytesMax) return [inTemp];
  const beside = (): ControlAddress => {
    rmSync(inBase, { recursive: true, force: true }); // Of a server that was killed.
    mkdirSync(inBase, { mode: 0o700 });
    return { path: socket, folder: inBase };
  };
  return [beside, inTemp];
}

/** Tells commands where the server listens. */
export function publishAddress(base: string, address: ControlAddress): void {
  const file = addressFile(base);
  writeFileSync(`${file}.tmp`, address.path, { mode: 0o600 });
  replaceFile(`${file}.tmp`, file);
}

/** The server listens no more. */
export function withdrawAddress(base: string, address: ControlAddress): void {
  rmSync(addressFile(base), { force: true });
  if (address.folder !== '') rmSync(address.folder, { recursive: true, force: true });
}

/** Where a server listens, or where one listened that was killed; undefined when there is none. */
export function publishedAddress(base: string): string | undefined {
  try {
    return readFileSync(addressFile(base), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined;
    throw error;
  }
}

function addressFile(base: string): string {
  return path.join(base, serverFolderName, 'control-address');
}
