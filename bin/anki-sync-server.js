#!/usr/bin/env node
// What runs the program, for npm and in a checkout. The server needs little memory if V8 and the C library are told so
// before they start, so this process becomes a second Node with those settings: the same process id, one process for
// supervisors to signal, and without what was loaded here. Where that cannot be, the server runs in this one.
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { programToRun } from './program-to-run.js';

/** Short-lived objects get little room, which by default grows with every large body and is never given back; and what
 * ran while somebody synced is collected when everybody has gone. */
const memoryFlags = ['--max-semi-space-size=2', '--expose-gc'];

/**
 * Threads that share heaps of C memory leave fewer holes in them; in a single one they wait for each other. What is free at
 * the end of a heap is given back beyond 128 KiB, and large pieces are mapped alone from 1 MiB on: left to itself the C
 * library raises both bounds with the largest piece that it ever gave out, and holds what a rush or an upload has taken.
 */
const allocatorSettings = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_TRIM_THRESHOLD_: '131072',
  MALLOC_MMAP_THRESHOLD_: '1048576',
};

/** Commands are short; only the server runs for months. */
function isServer() {
  return process.argv.length === 2;
}

function canBecomeAnother() {
  if (process.platform === 'win32' || typeof process.execve !== 'function') return false;
  // Sockets that systemd hands over would be closed on the way.
  return process.env.LISTEN_FDS === undefined;
}

function becomeServer(program) {
  // The call is marked as experimental, which is no news for whoever reads the log.
  process.removeAllListeners('warning');
  const env = { ...allocatorSettings, ...process.env };
  const flags = new Set([...memoryFlags, ...process.execArgv]);
  process.execve(process.execPath, [process.argv0, ...flags, fileURLToPath(program)], env);
}

const program = programToRun(new URL('..', import.meta.url));
if (isServer()) {
  if (canBecomeAnother()) becomeServer(program);
  // V8 has begun with small spaces and is asked to leave it at that, which holds the same memory for a little more time.
  setFlagsFromString('--semi-space-growth-factor=1');
}
await import(program.href);
