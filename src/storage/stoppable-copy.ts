import { closeSync, constants, copyFileSync, openSync, readSync, writeSync } from 'node:fs';

/** Bytes that are copied between two looks at the stop sign: some milliseconds, also on a slow disk. */
const pieceBytes = 4 * 1024 * 1024;

/** Tells another thread to stop what it does. The memory is shared, so it can go along with a call. */
export class StopSign {
  readonly #flag: Int32Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.#flag = new Int32Array(memory);
  }

  /** For the constructor in the other thread. */
  get memory(): SharedArrayBuffer {
    return this.#flag.buffer as SharedArrayBuffer;
  }

  get isSet(): boolean {
    return Atomics.load(this.#flag, 0) !== 0;
  }

  set(): void {
    Atomics.store(this.#flag, 0, 1);
  }
}

/**
 * Copies a file to a new one, without moving bytes where the file system can share them. False when it was stopped
 * before its end; what is there of `target` then is of no use.
 */
export function copyUnlessStopped(source: string, target: string, stop: StopSign): boolean {
  if (stop.isSet) return false;
  if (isCloned(source, target)) return true;
  const from = openSync(source, 'r');
  try {
    const to = openSync(target, 'wx');
    try {
      return copyBytes(from, to, stop);
    } finally {
      closeSync(to);
    }
  } finally {
    closeSync(from);
  }
}

function isCloned(source: string, target: string): boolean {
  try {
    copyFileSync(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    return false; // Nothing is left of it. If the disk is at fault, the copy of the bytes says so.
  }
}

function copyBytes(from: number, to: number, stop: StopSign): boolean {
  const buffer = Buffer.allocUnsafeSlow(pieceBytes);
  for (let position = 0; !stop.isSet; ) {
    const length = readSync(from, buffer, 0, pieceBytes, position);
    if (length === 0) return true;
    for (let written = 0; written < length; ) {
      written += writeSync(to, buffer, written, length - written, position + written);
    }
    position += length;
  }
  return false;
}
