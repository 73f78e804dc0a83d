import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import type { Sqlite3Static, WasmPointer } from '@sqlite.org/sqlite-wasm';
import { syncFolder } from '../../storage/replace-file.ts';

/** Name of the VFS within SQLite. */
export const NODE_VFS = 'node-fs';

/** Longest path, bytes of UTF-8 and a NUL. */
const PATH_BYTES_MAX = 4096;

interface OpenFile {
  readonly fd: number;
  readonly path: string;
  /** A file that was just created: its name must be durable before its content counts. */
  folderUnsynced: boolean;
}

/** What the methods below share. */
interface VfsState {
  readonly sqlite3: Sqlite3Static;
  readonly files: Map<WasmPointer, OpenFile>;
  readonly onError: (error: unknown) => void;
}

/**
 * Lets the WebAssembly build of SQLite work on real files, synchronously and with real fsync: its journals and WAL are
 * what a native SQLite finds and recovers after a crash, and the other way round.
 *
 * There are no locks and no shared memory: the caller promises that nobody else has the file open, and sets
 * `locking_mode=EXCLUSIVE` before anything else (SQLite then keeps the WAL index in its own memory). Temporary files are
 * refused: this build keeps temporary data in memory.
 *
 * `onError` hears what the disk said; SQLite itself passes on only a number.
 */
export function installNodeVfs(sqlite3: Sqlite3Static, onError: (error: unknown) => void): void {
  const { capi, wasm } = sqlite3;
  const state: VfsState = { sqlite3, files: new Map(), onError };

  const fileStruct = new capi.sqlite3_io_methods();
  Object.assign(fileStruct, { $iVersion: 1 }); // Without shared memory, which begins with version 2.
  fileStruct.installMethods(fileMethods(state));

  const vfs = new capi.sqlite3_vfs();
  const builtIn = new capi.sqlite3_vfs(capi.sqlite3_vfs_find(null));
  for (const method of ['$xRandomness', '$xSleep', '$xCurrentTime', '$xCurrentTimeInt64']) {
    Object.assign(vfs, { [method]: Reflect.get(builtIn, method) });
  }
  builtIn.dispose();
  const { sizeof } = Reflect.get(capi.sqlite3_file, 'structInfo');
  const fixed = {
    $iVersion: 2,
    $szOsFile: sizeof,
    $mxPathname: PATH_BYTES_MAX,
    $zName: wasm.allocCString(NODE_VFS, false),
  };
  Object.assign(vfs, fixed);
  vfs.installMethods(folderMethods(state, fileStruct.pointer));
  if (capi.sqlite3_vfs_register(vfs, 0) !== capi.SQLITE_OK) throw new Error('SQLite refused the file system');
}

/** sqlite3_io_methods: one open file. Offsets and sizes are 64 bits wide and arrive as bigint. */
function fileMethods(state: VfsState): Record<string, (file: WasmPointer, ...rest: never[]) => number> {
  const { capi, wasm } = state.sqlite3;
  return {
    xClose: guarded(state, capi.SQLITE_IOERR_CLOSE, (pointer) => {
      const { fd } = fileAt(state, pointer);
      state.files.delete(pointer);
      closeSync(fd);
      return capi.SQLITE_OK;
    }),
    xRead: guarded(state, capi.SQLITE_IOERR_READ, (pointer, target: WasmPointer, length: number, offset: bigint) => {
      const { fd } = fileAt(state, pointer);
      const memory = wasm.heap8u().subarray(target, target + length); // The heap may have grown since the last call.
      const got = readFully(fd, memory, Number(offset));
      if (got === length) return capi.SQLITE_OK;
      memory.fill(0, got);
      return capi.SQLITE_IOERR_SHORT_READ;
    }),
    xWrite: guarded(state, capi.SQLITE_IOERR_WRITE, (pointer, source: WasmPointer, length: number, offset: bigint) => {
      const { fd } = fileAt(state, pointer);
      writeFully(fd, wasm.heap8u().subarray(source, source + length), Number(offset));
      return capi.SQLITE_OK;
    }),
    xTruncate: guarded(state, capi.SQLITE_IOERR_TRUNCATE, (pointer, size: bigint) => {
      ftruncateSync(fileAt(state, pointer).fd, Number(size));
      return capi.SQLITE_OK;
    }),
    xSync: guarded(state, capi.SQLITE_IOERR_FSYNC, (pointer) => {
      const file = fileAt(state, pointer);
      fdatasyncSync(file.fd); // Covers the size too, when it changed.
      if (file.folderUnsynced) syncFolder(path.dirname(file.path));
      file.folderUnsynced = false;
      return capi.SQLITE_OK;
    }),
    xFileSize: guarded(state, capi.SQLITE_IOERR_FSTAT, (pointer, result: WasmPointer) => {
      pokeInteger(state, result, fstatSync(fileAt(state, pointer).fd).size, 'i64');
      return capi.SQLITE_OK;
    }),
    xLock: () => capi.SQLITE_OK,
    xUnlock: () => capi.SQLITE_OK,
    xCheckReservedLock: (_pointer, result: WasmPointer) => {
      pokeInteger(state, result, 0, 'i32');
      return capi.SQLITE_OK;
    },
    xFileControl: () => capi.SQLITE_NOTFOUND,
    xSectorSize: () => 4096,
    xDeviceCharacteristics: () => 0,
  };
}

/** sqlite3_vfs: names of files. `fileStruct` points to the methods of `fileMethods`. */
function folderMethods(
  state: VfsState,
  fileStruct: WasmPointer,
): Record<string, (vfs: WasmPointer, ...rest: never[]) => number> {
  const { capi, wasm } = state.sqlite3;
  const nameAt = (pointer: WasmPointer): string => {
    const name = pointer === 0 ? null : wasm.cstrToJs(pointer);
    if (name === null) throw new Error('SQLite asked for a temporary file');
    return name;
  };
  return {
    xOpen: guarded(
      state,
      capi.SQLITE_CANTOPEN,
      (_vfs, name: WasmPointer, pointer: WasmPointer, flags: number, flagsOut: WasmPointer) => {
        const file = new capi.sqlite3_file(pointer);
        file.$pMethods = 0; // Until it is open there is nothing to close.
        state.files.set(pointer, openFile(nameAt(name), (flags & capi.SQLITE_OPEN_CREATE) !== 0));
        file.$pMethods = fileStruct;
        file.dispose(); // The wrapper; the memory is SQLite's.
        if (flagsOut !== 0) pokeInteger(state, flagsOut, flags, 'i32');
        return capi.SQLITE_OK;
      },
    ),
    xDelete: guarded(state, capi.SQLITE_IOERR_DELETE, (_vfs, name: WasmPointer, syncsFolder: number) => {
      rmSync(nameAt(name), { force: true });
      if (syncsFolder !== 0) syncFolder(path.dirname(nameAt(name)));
      return capi.SQLITE_OK;
    }),
    xAccess: guarded(
      state,
      capi.SQLITE_IOERR_ACCESS,
      (_vfs, name: WasmPointer, _flags: number, result: WasmPointer) => {
        // As in the Unix VFS of SQLite, an empty journal counts as none.
        const size = statSync(nameAt(name), { throwIfNoEntry: false })?.size ?? 0;
        pokeInteger(state, result, size > 0 ? 1 : 0, 'i32');
        return capi.SQLITE_OK;
      },
    ),
    xFullPathname: guarded(
      state,
      capi.SQLITE_CANTOPEN,
      (_vfs, name: WasmPointer, bytesMax: number, result: WasmPointer) =>
        wasm.cstrncpy(result, name, bytesMax) < bytesMax ? capi.SQLITE_OK : capi.SQLITE_CANTOPEN,
    ),
    xGetLastError: () => capi.SQLITE_OK,
  };
}

/** Nothing may be thrown through WebAssembly frames: an error becomes a result code. */
function guarded<Rest extends unknown[]>(
  { sqlite3, onError }: VfsState,
  failed: number,
  method: (self: WasmPointer, ...rest: Rest) => number,
): (self: WasmPointer, ...rest: Rest) => number {
  return (self, ...rest) => {
    try {
      return method(self, ...rest);
    } catch (error) {
      onError(error);
      const diskFull =
        error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
      return diskFull ? sqlite3.capi.SQLITE_FULL : failed;
    }
  };
}

function fileAt(state: VfsState, pointer: WasmPointer): OpenFile {
  const file = state.files.get(pointer);
  if (file === undefined) throw new Error('SQLite used a file that is not open');
  return file;
}

function openFile(name: string, mayCreate: boolean): OpenFile {
  if (!mayCreate || existsSync(name)) return { fd: openSync(name, 'r+'), path: name, folderUnsynced: false };
  const database = statSync(name.replace(/-(?:wal|journal)$/, ''), { throwIfNoEntry: false });
  const mode = database === undefined ? 0o644 : database.mode & 0o777; // Who may read the collection may read its journal.
  return { fd: openSync(name, 'wx+', mode), path: name, folderUnsynced: true };
}

/** Bytes read: fewer than asked for only at the end of the file. */
function readFully(fd: number, target: Uint8Array, offset: number): number {
  let got = 0;
  while (got < target.length) {
    const count = readSync(fd, target, got, target.length - got, offset + got);
    if (count === 0) break;
    got += count;
  }
  return got;
}

function writeFully(fd: number, source: Uint8Array, offset: number): void {
  let done = 0;
  while (done < source.length) done += writeSync(fd, source, done, source.length - done, offset + done);
}

function pokeInteger({ sqlite3 }: VfsState, address: WasmPointer, value: number, type: 'i32' | 'i64'): void {
  // The declaration knows only numbers; a 64-bit place takes nothing but a bigint.
  const typed = type === 'i64' ? (BigInt(value) as unknown as number) : value;
  sqlite3.wasm.poke(address, typed, type);
}
