import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { build, type Plugin } from 'esbuild';
import { nodeFor } from './node-binary.ts';
import { type Architecture, BUILD, MANIFEST, ROOT, run } from './project.ts';
import { collectLicences, describeDependencies } from './sbom.ts';

const PARTS = {
  main: 'src/main.ts',
  'collection-worker': 'src/worker/collection-worker.ts',
  'heavy-worker': 'src/worker/heavy-worker.ts',
} as const;

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
    await bundle(work);
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

/** One file for the program and one for each kind of thread, with all packages inside. */
async function bundle(work: string): Promise<void> {
  await build({
    absWorkingDir: ROOT,
    entryPoints: { ...PARTS },
    outdir: work,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'esnext',
    legalComments: 'inline',
    logLevel: 'error',
    // Packages of the older kind are in the bundle, and ask for Node's own modules by this function.
    banner: {
      js: "import { createRequire as anchorRequire } from 'node:module';\nconst require = anchorRequire(import.meta.url);",
    },
    plugins: [partsOfExecutable],
  });
}

/** Puts in what a program without files needs. */
const partsOfExecutable: Plugin = {
  name: 'parts-of-executable',
  setup({ onResolve, onLoad }) {
    const replacement = (file: string) => path.join(ROOT, 'packaging/executable', file);
    onResolve({ filter: /\/worker-script\.ts$/ }, () => ({ path: replacement('worker-script.ts') }));
    onResolve({ filter: /^@sqlite\.org\/sqlite-wasm$/ }, ({ importer }) =>
      importer === replacement('sqlite-wasm.ts') ? undefined : { path: replacement('sqlite-wasm.ts') },
    );
    onLoad({ filter: /[\\/]src[\\/]cli[\\/]version\.ts$/ }, () => ({
      contents: `export const packageVersion = (): string => ${JSON.stringify(MANIFEST.version)};`,
      loader: 'ts',
    }));
  },
};

/** What `node --build-sea` is told. */
function seaConfig(work: string, output: string, executable: string): unknown {
  const wasm = createRequire(import.meta.url).resolve('@sqlite.org/sqlite-wasm/sqlite3.wasm');
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
    // Short-lived objects get little room: the default grows with every large body and is never given back.
    execArgv: ['--max-semi-space-size=2'],
    assets: {
      ...Object.fromEntries(threads.map((file) => [file, path.join(work, file)])),
      'sqlite3.wasm': wasm,
    },
  };
}
