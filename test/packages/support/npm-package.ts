import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { nodeFor } from '../../../scripts/build/node-binary.ts';
import { isArchitecture, ROOT } from '../../../scripts/build/project.ts';
import { runToEnd } from './program.ts';

/** The oldest Node that the package runs on, as `engines` in `package.json` says. */
export const OLDEST_NODE = '24.15.0';
/** The oldest, a recent one of the same major, and the one that runs this test. */
export const NODES = [OLDEST_NODE, '24.21.0', process.versions.node] as const;

/** A packed tarball, and what lies beside it. Gone afterwards. */
export class PackedProject implements AsyncDisposable {
  readonly #work: string;
  readonly #installed = new Map<string, Promise<InstalledPackage>>();
  readonly tarball: string;

  /** Does what `npm publish` would do, up to the tarball. */
  static async pack(): Promise<PackedProject> {
    const work = await mkdtemp(path.join(os.tmpdir(), 'anki-packed-'));
    const output = await runToEnd('npm', {
      args: ['pack', '--json', `--pack-destination=${work}`],
      env: npmEnvironment(path.dirname(process.execPath)),
      cwd: ROOT,
    });
    const filename = /"filename": "([^"]+)"/.exec(output)?.[1];
    if (filename === undefined) throw new Error(`npm pack names no file:\n${output}`);
    return new PackedProject(work, path.join(work, filename));
  }

  private constructor(work: string, tarball: string) {
    this.#work = work;
    this.tarball = tarball;
  }

  /** Paths in the tarball. */
  async files(): Promise<string[]> {
    const list = await runToEnd('tar', { args: ['-tzf', this.tarball], env: npmEnvironment('') });
    return list
      .trim()
      .split('\n')
      .map((file) => file.replace(/^package\//, ''))
      .sort();
  }

  /** Installs it, once, in an empty folder of a machine that has this Node and nothing else of the project. */
  installWith(version: string): Promise<InstalledPackage> {
    const installed = this.#installed.get(version) ?? this.#install(version);
    this.#installed.set(version, installed);
    return installed;
  }

  async #install(version: string): Promise<InstalledPackage> {
    const folder = await mkdtemp(path.join(this.#work, `node-${version}-`));
    const bin = await nodeFolder(folder, version);
    const env = npmEnvironment(bin);
    await writeFile(path.join(folder, 'package.json'), '{ "private": true }');
    const options = ['--ignore-scripts', '--engine-strict', '--prefer-offline', '--no-audit', '--no-fund'];
    await runToEnd('npm', { args: ['install', ...options, this.tarball], env, cwd: folder });
    return { folder, env, program: path.join(folder, 'node_modules/.bin/anki-sync-server') };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#work, { recursive: true, force: true });
  }
}

export interface InstalledPackage {
  readonly folder: string;
  /** With that Node first on the PATH. */
  readonly env: Readonly<Record<string, string>>;
  /** What npm made for the command line. */
  readonly program: string;
}

/** A folder in which `node` is of that version. */
async function nodeFolder(parent: string, version: string): Promise<string> {
  const bin = path.join(parent, 'path');
  await mkdir(bin);
  if (!isArchitecture(process.arch)) throw new Error(`there is no Node for ${process.arch}`);
  const node = version === process.versions.node ? process.execPath : (await nodeFor(process.arch, version)).program;
  await symlink(await realpath(node), path.join(bin, 'node'));
  return bin;
}

/** What npm needs of the environment; nothing that belongs to this run of the tests. */
function npmEnvironment(bin: string): Record<string, string> {
  const kept = Object.entries(process.env).filter((entry): entry is [string, string] =>
    /^(?:HOME|.*_proxy|npm_config_cache|NODE_EXTRA_CA_CERTS)$/i.test(entry[0]),
  );
  return { ...Object.fromEntries(kept), PATH: [bin, ...outerPath()].filter(Boolean).join(':') };
}

/** The PATH without what `npm run` puts before it, where the Node of the checkout is. */
function outerPath(): string[] {
  return (process.env.PATH ?? '').split(':').filter((folder) => !folder.includes('node_modules'));
}
