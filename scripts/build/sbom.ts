import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { MANIFEST, ROOT, run } from './project.ts';

interface Component {
  readonly 'bom-ref': string;
  readonly name: string;
}

/** What matters here of a CycloneDX document. */
interface Bom {
  readonly metadata: { readonly component: Component; readonly timestamp?: string };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
  readonly serialNumber?: string;
}

/** The Node of a checkout, which is not part of the program. */
const isNotShipped = (ref: string): boolean => ref.startsWith('anki-sync-server-node@');

/**
 * A list of every package that runs in the server, with version, licence and checksum as locked: a CycloneDX document in
 * JSON. The same sources make the same text.
 */
export async function describeDependencies(): Promise<string> {
  const options = ['--sbom-format=cyclonedx', '--sbom-type=application', '--package-lock-only'];
  const bom: Bom = JSON.parse(await run('npm', ['sbom', ...options, '--omit=dev', '--omit=optional']));
  const { serialNumber: _random, metadata, components, dependencies, ...rest } = bom;
  const { timestamp: _now, component, ...tools } = metadata;
  const shipped = {
    ...rest,
    metadata: { ...tools, component: { ...component, name: MANIFEST.name } },
    components: components.filter((each) => !isNotShipped(each['bom-ref'])),
    dependencies: dependencies
      .filter(({ ref }) => !isNotShipped(ref))
      .map((each) => ({ ...each, dependsOn: each.dependsOn?.filter((ref) => !isNotShipped(ref)) ?? [] })),
  };
  return `${JSON.stringify(shipped, null, 2)}\n`;
}

/** The licences of all packages that run in the server, in full, for what contains their code. */
export async function collectLicences(): Promise<string> {
  const lock: { packages: Record<string, LockedPackage> } = JSON.parse(
    await readFile(path.join(ROOT, 'package-lock.json'), 'utf8'),
  );
  const shipped = Object.entries(lock.packages)
    .filter(([folder, { dev, optional, link }]) => folder.startsWith('node_modules/') && !dev && !optional && !link)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const texts = shipped.map(async ([folder, { version, license }]) => {
    const name = folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
    return `${'='.repeat(80)}\n${name} ${version} (${license})\n\n${await licenceIn(path.join(ROOT, folder))}`;
  });
  return (await Promise.all(texts)).join('\n');
}

interface LockedPackage {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly link?: boolean;
}

/** Some packages come without the text, and name the licence only. */
async function licenceIn(folder: string): Promise<string> {
  const files = (await readdir(folder)).filter((file) => /^(?:licen[cs]e|notice|copying)\b/i.test(file)).sort();
  const texts = await Promise.all(files.map((file) => readFile(path.join(folder, file), 'utf8')));
  return texts.length > 0 ? texts.join('\n') : 'The package comes without a text.\n';
}
