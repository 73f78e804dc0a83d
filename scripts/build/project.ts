import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

/** The folder of the checkout. */
export const ROOT = path.join(import.meta.dirname, '../..');
/** What is built and not part of the npm package. */
export const BUILD = path.join(ROOT, 'build');

/** Processors that executables are built for, as Node names them. */
export const ARCHITECTURES = ['x64', 'arm64'] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

export function isArchitecture(text: string): text is Architecture {
  return ARCHITECTURES.some((architecture) => architecture === text);
}

/** What `package.json` says. */
export const MANIFEST: { readonly name: string; readonly version: string; readonly description: string } = JSON.parse(
  readFileSync(path.join(ROOT, 'package.json'), 'utf8'),
);

const execute = promisify(execFile);
const outputBytesMax = 64 * 1024 * 1024;

/** Runs a program in the checkout and returns what it prints; throws with its complaint when it fails. */
export async function run(program: string, args: readonly string[], cwd = ROOT): Promise<string> {
  const { stdout } = await execute(program, args, { cwd, maxBuffer: outputBytesMax });
  return stdout;
}
