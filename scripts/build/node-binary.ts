import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { type Architecture, ROOT, run } from './project.ts';

const CACHE = path.join(ROOT, '.cache/node');

export interface NodeBinary {
  readonly program: string;
  licence(): Promise<string>;
}

/** Node for this processor, of the version that runs now. What is not installed comes from the npm registry. */
export async function nodeFor(architecture: Architecture, version = process.versions.node): Promise<NodeBinary> {
  const name = `node-linux-${architecture}`;
  const installed = path.join(ROOT, 'node_modules', name);
  const fetched = path.join(CACHE, `${name}-${version}`);
  const folder = versionIn(installed) === version ? installed : fetched;
  if (!existsSync(folder)) await fetchPackage(`${name}@${version}`, folder);
  return {
    program: path.join(folder, 'bin/node'),
    licence: () => readFile(path.join(folder, 'LICENSE'), 'utf8'),
  };
}

function versionIn(folder: string): unknown {
  const manifest = path.join(folder, 'package.json');
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : undefined;
}

/** npm checks what it fetches; installing it is not possible, because it is for another machine. */
async function fetchPackage(specifier: string, folder: string): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const work = await mkdtemp(path.join(CACHE, 'fetch-'));
  try {
    const [packed]: { filename: string }[] = JSON.parse(
      await run('npm', ['pack', specifier, '--json', `--pack-destination=${work}`], work),
    );
    if (packed === undefined) throw new Error(`npm has no ${specifier}`);
    await run('tar', ['-xzf', path.join(work, packed.filename), '-C', work]);
    await rename(path.join(work, 'package'), folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY') throw error; // Somebody else was faster.
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
