import { copyFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { build, type Plugin } from 'esbuild';
import { MANIFEST, ROOT } from './project.ts';

/** Where the program and each kind of thread begin. */
const PARTS = {
  main: 'src/main.ts',
  'collection-worker': 'src/worker/collection-worker.ts',
  'heavy-worker': 'src/worker/heavy-worker.ts',
} as const;

export interface BundleOptions {
  /** Code that several parts need, or that few calls need, gets files of its own; else each part is one file. */
  readonly isSplit: boolean;
  readonly plugins?: readonly Plugin[];
}

/**
 * Compiles the program into few files of JavaScript with all packages inside, in an existing folder: a file for each
 * part by its name, and `chunk-….js` beside them when split. A thread that reads few files starts in a sixth of the time.
 */
export async function bundle(folder: string, { isSplit, plugins = [] }: BundleOptions): Promise<void> {
  const { outputFiles } = await build({
    write: false,
    absWorkingDir: ROOT,
    entryPoints: { ...PARTS },
    outdir: folder,
    bundle: true,
    splitting: isSplit,
    platform: 'node',
    format: 'esm',
    target: 'esnext',
    legalComments: 'inline',
    logLevel: 'error',
    // Packages of the older kind are in the bundle, and ask for Node's own modules by this function.
    banner: {
      js: "import { createRequire as anchorRequire } from 'node:module';\nconst require = anchorRequire(import.meta.url);",
    },
    plugins: [ownVersion, ...plugins],
  });
  for (const { path: file, text } of outputFiles) await writeFile(file, takingOnlyWhatIsUsed(text));
}

/**
 * Takes of Node's modules what is named, in place of an `import`. That asks for every value of a module, also for those
 * which are made when they are first asked for: `node:http` then loads a whole web client, and `node:tls` reads 140
 * certificates. `code` is what esbuild has written, with each import in lines of its own.
 */
export function takingOnlyWhatIsUsed(code: string): string {
  const imports = /^import (?:(?:\* as )?([\w$]+))?(?:, )?(\{[^}]*\})? from "(node:[^"]+)";$/gm;
  return code.replaceAll(imports, (_, whole?: string, named?: string, name?: string) => {
    const module = `process.getBuiltinModule("${name}")`;
    const names = named?.replaceAll(/([\w$]+) as ([\w$]+)/g, '$1: $2');
    return [whole, names].flatMap((each) => (each ? `const ${each} = ${module};` : [])).join(' ');
  });
}

/** The program as files that Node can run, with the WebAssembly that one of its packages looks for beside its code. */
export async function bundleToRun(folder: string): Promise<void> {
  await bundle(folder, { isSplit: true });
  await copyFile(wasmFile(), path.join(folder, 'sqlite3.wasm'));
}

/** The WebAssembly of SQLite. */
export function wasmFile(): string {
  return createRequire(import.meta.url).resolve('@sqlite.org/sqlite-wasm/sqlite3.wasm');
}

/** The manifest lies elsewhere than beside the source, or nowhere, so its version is put in. */
const ownVersion: Plugin = {
  name: 'own-version',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]src[\\/]cli[\\/]version\.ts$/ }, () => ({
      contents: `export const packageVersion = (): string => ${JSON.stringify(MANIFEST.version)};`,
      loader: 'ts',
    }));
  },
};
