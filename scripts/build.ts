/**
 * Builds what is handed out:
 *
 *     node scripts/build.ts npm                        dist/, which `npm pack` puts into the package
 *     node scripts/build.ts executable [x64 | arm64]   build/anki-sync-server-linux-…: one file with Node inside
 *     node scripts/build.ts debian [x64 | arm64]       build/anki-sync-server_….deb
 *     node scripts/build.ts checkout <folder>          what bin/ runs in a checkout; it calls this itself
 */
import { buildForCheckout } from './build/checkout.ts';
import { buildDebianPackage } from './build/debian.ts';
import { buildExecutable } from './build/executable.ts';
import { buildNpm } from './build/npm.ts';
import { ARCHITECTURES, isArchitecture } from './build/project.ts';

process.exitCode = await main(process.argv.slice(2));

async function main([what, detail]: readonly string[]): Promise<number> {
  if (what === 'npm') return done([await buildNpm()]);
  if (what === 'checkout' && detail !== undefined) return done([await buildForCheckout(detail)]);
  const architecture = detail ?? process.arch;
  if (!isArchitecture(architecture)) return fail(`Name one of ${ARCHITECTURES.join(', ')}.`);
  if (what === 'executable') return done(Object.values(await buildExecutable(architecture)));
  if (what === 'debian') return done([await buildDebianPackage(architecture)]);
  return fail('Name what to build: npm, executable, debian or checkout.');
}

function done(files: readonly string[]): number {
  process.stderr.write(`built ${files.join(', ')}\n`);
  return 0;
}

function fail(message: string): number {
  process.stderr.write(`${message}\n`);
  return 1;
}
