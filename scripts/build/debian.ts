import { execFileSync } from 'node:child_process';
import { chmod, copyFile, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { buildExecutable, type Executable } from './executable.ts';
import { type Architecture, BUILD, MANIFEST, ROOT, run } from './project.ts';

/** How Debian names processors. */
const DEBIAN_ARCHITECTURE = { x64: 'amd64', arm64: 'arm64' } as const satisfies Record<Architecture, string>;
const SCRIPTS = ['postinst', 'prerm', 'postrm'] as const;
const packageName = 'anki-sync-server';

/** Builds a Debian package of the single executable, its unit and its account. Returns its path. */
export async function buildDebianPackage(architecture: Architecture): Promise<string> {
  const executable = await buildExecutable(architecture);
  const target = path.join(BUILD, `${packageName}_${MANIFEST.version}_${DEBIAN_ARCHITECTURE[architecture]}.deb`);
  const tree = await mkdtemp(path.join(os.tmpdir(), 'anki-debian-'));
  try {
    await chmod(tree, 0o755);
    await layOut(tree, executable);
    await writeControl(tree, architecture);
    // Debian 12 and Ubuntu 22.04 are the first that read zstd; it takes two seconds where xz takes half a minute.
    await run('dpkg-deb', ['--root-owner-group', '-Zzstd', '-z12', '--build', tree, target]);
    return target;
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}

/** Where everything goes on the machine. */
async function layOut(tree: string, { program, licences, sbom }: Executable): Promise<void> {
  const packaging = path.join(ROOT, 'packaging');
  const doc = `usr/share/doc/${packageName}`;
  const files: readonly (readonly [from: string, to: string])[] = [
    [program, `usr/bin/${packageName}`],
    [path.join(packaging, 'systemd/anki-sync-server.service'), `usr/lib/systemd/system/${packageName}.service`],
    [path.join(packaging, 'systemd/anki-sync-server.socket'), `usr/lib/systemd/system/${packageName}.socket`],
    [path.join(packaging, 'systemd/sysusers.conf'), `usr/lib/sysusers.d/${packageName}.conf`],
    [path.join(packaging, 'systemd/tmpfiles.conf'), `usr/lib/tmpfiles.d/${packageName}.conf`],
    [path.join(packaging, 'systemd/settings'), `etc/${packageName}/settings`],
    [path.join(packaging, 'debian/copyright'), `${doc}/copyright`],
    [licences, `${doc}/licences.txt`],
    [sbom, `${doc}/sbom.cdx.json`],
    [path.join(ROOT, 'LICENSE'), `${doc}/LICENSE`],
    [path.join(ROOT, 'README.md'), `${doc}/README.md`],
    [path.join(ROOT, 'docs/install.md'), `${doc}/install.md`],
  ];
  for (const [from, to] of files) {
    const place = path.join(tree, to);
    await mkdir(path.dirname(place), { recursive: true });
    await copyFile(from, place);
    await chmod(place, to.startsWith('usr/bin/') ? 0o755 : 0o644);
  }
  await writeFile(path.join(tree, doc, 'changelog.gz'), gzipSync(await readFile(path.join(ROOT, 'CHANGELOG.md'))));
}

async function writeControl(tree: string, architecture: Architecture): Promise<void> {
  const debian = path.join(tree, 'DEBIAN');
  await mkdir(debian);
  const { size } = await stat(path.join(tree, `usr/bin/${packageName}`));
  const template = await readFile(path.join(ROOT, 'packaging/debian/control'), 'utf8');
  const control = template
    .replace('@VERSION@', MANIFEST.version)
    .replace('@ARCHITECTURE@', DEBIAN_ARCHITECTURE[architecture])
    .replace('@KILOBYTES@', String(Math.ceil(size / 1024)));
  await writeFile(path.join(debian, 'control'), control);
  await writeFile(path.join(debian, 'conffiles'), `/etc/${packageName}/settings\n`);
  for (const script of SCRIPTS) {
    await cp(path.join(ROOT, 'packaging/debian', script), path.join(debian, script));
    await chmod(path.join(debian, script), 0o755);
  }
  const sums = execFileSync(
    'sh',
    ['-c', "find usr -type f -printf '%P\\n' | sort | sed 's|^|usr/|' | xargs -d '\\n' md5sum"],
    {
      cwd: tree,
    },
  );
  await writeFile(path.join(debian, 'md5sums'), sums);
}
