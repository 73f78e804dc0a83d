import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { bundleToRun } from './bundle.ts';
import { ROOT } from './project.ts';
import { collectLicences, describeDependencies } from './sbom.ts';

/** Compiles the program, and lists what it is made of. Returns the folder. */
export async function buildNpm(): Promise<string> {
  const dist = path.join(ROOT, 'dist');
  await rm(dist, { recursive: true, force: true });
  await mkdir(dist);
  await bundleToRun(dist);
  await writeFile(path.join(dist, 'licences.txt'), await collectLicences());
  await writeFile(path.join(dist, 'sbom.cdx.json'), await describeDependencies());
  return dist;
}
