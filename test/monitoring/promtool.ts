import path from 'node:path';
import { messageOf } from '../../src/errors.ts';
import { unpackDebianPackages } from '../support/debian-packages.ts';

const folder = path.resolve(import.meta.dirname, '../../.cache/debian/prometheus');

/** Prometheus and its own checker, or the reason why they cannot be had here. */
export type Promtool =
  | { readonly kind: 'ready'; readonly program: string; readonly prometheus: string }
  | { readonly kind: 'missing'; readonly reason: string };

let prepared: Promise<Promtool> | undefined;

/**
 * `promtool` and `prometheus` out of Debian's package, which is only unpacked. Never throws when it cannot be had, except
 * with `CI=true`.
 */
export async function preparePromtool(): Promise<Promtool> {
  prepared ??= prepare();
  const promtool = await prepared;
  if (promtool.kind === 'missing' && process.env.CI === 'true') throw new Error(`promtool: ${promtool.reason}`);
  return promtool;
}

async function prepare(): Promise<Promtool> {
  try {
    await unpackDebianPackages(['prometheus'], folder);
    const programs = path.join(folder, 'usr/bin');
    return { kind: 'ready', program: path.join(programs, 'promtool'), prometheus: path.join(programs, 'prometheus') };
  } catch (error) {
    return { kind: 'missing', reason: `needs Debian, apt-get and its archive: ${messageOf(error)}` };
  }
}
