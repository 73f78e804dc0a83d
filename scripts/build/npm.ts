import { rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { ROOT, run } from './project.ts';
import { describeDependencies } from './sbom.ts';

/** Compiles the program to JavaScript with declarations, and lists what it is made of. Returns the folder. */
export async function buildNpm(): Promise<string> {
  const dist = path.join(ROOT, 'dist');
  await rm(dist, { recursive: true, force: true });
  const tsc = createRequire(import.meta.url)
    .resolve('typescript/package.json')
    .replace('package.json', 'bin/tsc');
  // Types are checked by `npm run types`, over all that belongs to the project.
  await run(process.execPath, [tsc, '-p', 'packaging/npm/tsconfig.json', '--noCheck']);
  await writeFile(path.join(dist, 'sbom.cdx.json'), await describeDependencies());
  return dist;
}
