import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Plugin } from 'esbuild';
import { bundle, wasmFile } from './bundle.ts';
import { nodeFor } from './node-binary.ts';
import { type Architecture, BUILD, ROOT, run } from './project.ts';
import { collectLicences, describeDependencies } from './sbom.ts';

/** Files that were made. */
export interface Executable {
  readonly program: string;
  readonly licences: string;
  readonly sbom: string;
}

/**
 * Builds one file that needs nothing else: Node itself, by its own tool, with the program inside. The Node that builds
 * and the Node within are of one version, because each release reads only its own form.
 */
export async function buildExecutable(architecture: Architecture): Promise<Executable> {
  await mkdir(BUILD, { recursive: true });
  const program = path.join(BUILD, `anki-sync-server-linux-${architecture}`);
  const work = await mkdtemp(path.join(os.tmpdir(), 'anki-executable-'));
  try {
    await bundle(work, { isSplit: false, plugins: [partsOfExecutable] });
    const node = await nodeFor(architecture);
    await writeFile(path.join(work, 'sea.json'), JSON.stringify(seaConfig(work, program, node.program)));
    await run(process.execPath, ['--build-sea', path.join(work, 'sea.json')]);
    await chmod(program, 0o755);
    const licences = `${program}.licences.txt`;
    await writeFile(licences, `${await collectLicences()}\n${'='.repeat(80)}\nNode.js\n\n${await node.licence()}`);
    const sbom = `${program}.sbom.cdx.json`;
    await writeFile(sbom, await describeDependencies());
    return { program, licences, sbom };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Puts in what a program without files needs. */
const partsOfExecutable: Plugin = {
  name: 'parts-of-executable',
  setup({ onResolve }) {
    const replacement = (file: string) => path.join(ROOT, 'packaging/executable', file);
    onResolve({ filter: /\/worker-script\.ts$/ }, () => ({ path: replacement('worker-script.ts') }));
    onResolve({ filter: /^@sqlite\.org\/sqlite-wasm$/ }, ({ importer }) =>
      importer === replacement('sqlite-wasm.ts') ? undefined : { path: replacement('sqlite-wasm.ts') },
    );
  },
};

/** What `node --build-sea` is told. */
function seaConfig(work: string, output: string, executable: string): unknown {
  const threads = ['collection-worker.js', 'heavy-worker.js'];
  return {
    main: path.join(work, 'main.js'),
    mainFormat: 'module',
    executable,
    output,
    disableExperimentalSEAWarning: true,
    useSnapshot: false,
    // Compiled code would hold for one processor and one Node only, and saves little.
    useCodeCache: false,
    // As in bin/anki-sync-server.js.
    execArgv: ['--max-semi-space-size=2', '--expose-gc'],
    assets: {
      ...Object.fromEntries(threads.map((file) => [file, path.join(work, file)])),
      'sqlite3.wasm': wasmFile(),
    },
  };
}
