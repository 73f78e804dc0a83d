#!/usr/bin/env node
// What `anki-sync-server` runs when the program was installed by npm. The server needs little memory if V8 and the C
// library are told so before they start, so this process becomes a second Node with those settings: the same process
// id, one process for supervisors to signal. Where that cannot be, the server runs here and takes some more memory.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';

/** Room for short-lived objects: the default grows with every large body and is never given back. */
const semiSpace = '--max-semi-space-size=2';

const compiled = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const source = fileURLToPath(new URL('../src/main.ts', import.meta.url));
// A checkout has both after a build; there the source counts.
const main = existsSync(source) ? source : compiled;

/** Commands are short; only the server runs for months. */
function isServer() {
  return process.argv.length === 2;
}

function canBecomeAnother() {
  if (process.platform === 'win32' || typeof process.execve !== 'function') return false;
  // Sockets that systemd hands over would be closed on the way.
  return process.env.LISTEN_FDS === undefined;
}

function becomeServer() {
  // The call is marked as experimental, which is no news for whoever reads the log.
  process.removeAllListeners('warning');
  // Threads that share one heap of C memory leave fewer holes in it.
  const env = { MALLOC_ARENA_MAX: '2', ...process.env };
  process.execve(process.execPath, [process.argv0, semiSpace, ...process.execArgv, main], env);
}

if (isServer() && canBecomeAnother()) becomeServer();
// V8 has begun with small spaces and is asked to leave it at that, which holds the same memory for a little more time.
if (isServer()) setFlagsFromString('--semi-space-growth-factor=1');
await import(new URL(main === source ? '../src/main.ts' : '../dist/main.js', import.meta.url).href);
