import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

const SRC = path.join(import.meta.dirname, '../src');

/** From the wire down. An import points to the same layer or to a lower line; layers on one line ignore each other. */
const LAYERS: readonly (readonly string[])[] = [
  ['main.ts'],
  ['cli'],
  ['config'],
  ['transport'],
  ['monitoring'],
  ['accounts'],
  ['lanes'],
  ['worker'],
  ['backup'],
  ['protocol'],
  ['collection', 'media', 'accounts/store'],
  ['collection/format', 'collection/scheduling', 'collection/wasm'],
  ['collection/text'],
  ['storage'],
  ['errors.ts', 'limits.ts', 'log.ts', 'user-folder.ts', 'user-name.ts'],
];

/** What only some layers may know of. */
const KEPT_TO: readonly { readonly packages: RegExp; readonly layers: readonly string[] }[] = [
  { packages: /^(?:@fastify\/.*|node:https?|node:http2)$/, layers: ['main.ts', 'cli', 'transport'] },
  { packages: /^prom-client$/, layers: ['monitoring'] },
  { packages: /^node:sqlite$/, layers: ['collection', 'collection/format', 'media', 'accounts/store', 'storage'] },
  { packages: /^@sqlite\.org\/sqlite-wasm$/, layers: ['collection', 'collection/wasm'] },
  { packages: /^@bufbuild\/protobuf(?:\/.*)?$/, layers: ['collection', 'collection/format'] },
];

interface Import {
  readonly from: string;
  /** A file under `src`, or the name of a package. */
  readonly to: string;
}

/** The program: without tests, which stand beside it, and without what only tests use. */
const FILES = globSync('**/*.ts', { cwd: SRC }).filter((file) => !/\.test\.ts$|(?:^|\/)testing\//.test(file));
const IMPORTS: readonly Import[] = FILES.flatMap(readImports);
const INNER_IMPORTS = IMPORTS.filter(({ to }) => to.endsWith('.ts'));

/** Type imports count like others: who needs to know a shape depends on its owner. */
function readImports(from: string): Import[] {
  const source = readFileSync(path.join(SRC, from), 'utf8');
  const statements = source.matchAll(/^(?:import|export|\})(?:[^'\n]*\bfrom)? '([^']+)';$/gm);
  const calls = source.matchAll(/\b(?:import|import\.meta\.resolve|new URL)\('([^']+)'[,)]/g);
  return [...statements, ...calls].map(([, specifier = '']) => ({ from, to: resolveImport(from, specifier) }));
}

function resolveImport(from: string, specifier: string): string {
  return specifier.startsWith('.') ? path.posix.join(path.posix.dirname(from), specifier) : specifier;
}

/** The layer of a file is the longest entry of the list that its path begins with. */
function layerOf(file: string): string | undefined {
  const layers = LAYERS.flat().filter((layer) => file === layer || file.startsWith(`${layer}/`));
  return layers.sort((a, b) => b.length - a.length)[0];
}

function heightOf(layer: string | undefined): number {
  return LAYERS.findIndex((line) => layer !== undefined && line.includes(layer));
}

function pointsDown({ from, to }: Import): boolean {
  const [upper, lower] = [layerOf(from), layerOf(to)];
  return upper !== undefined && lower !== undefined && (upper === lower || heightOf(upper) < heightOf(lower));
}

function listOf(imports: readonly Import[]): string[] {
  return imports.map(({ from, to }) => `${from} → ${to}`);
}

/** The first way found from a file back to itself. */
function findCycle(): string[] {
  const done = new Set<string>();
  const walk = (file: string, trail: readonly string[]): string[] => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file];
    if (done.has(file)) return [];
    for (const { to } of INNER_IMPORTS.filter(({ from }) => from === file)) {
      const cycle = walk(to, [...trail, file]);
      if (cycle.length > 0) return cycle;
    }
    done.add(file);
    return [];
  };
  return FILES.map((file) => walk(file, [])).find((cycle) => cycle.length > 0) ?? [];
}

test('every source file belongs to a layer', () => {
  assert.deepEqual(
    FILES.filter((file) => layerOf(file) === undefined),
    [],
  );
});

test('imports lead to files that exist, and never to tests', () => {
  assert.ok(INNER_IMPORTS.length > 0);
  assert.deepEqual(listOf(INNER_IMPORTS.filter(({ to }) => !FILES.includes(to))), []);
});

test('imports point down', () => {
  assert.deepEqual(listOf(INNER_IMPORTS.filter((each) => !pointsDown(each))), []);
});

test('no file imports itself by way of others', () => {
  assert.equal(findCycle().join(' → '), '');
});

for (const { packages, layers } of KEPT_TO) {
  test(`only ${layers.join(', ')} know of ${packages.source}`, () => {
    const strangers = IMPORTS.filter(({ from, to }) => packages.test(to) && !layers.includes(layerOf(from) ?? ''));
    assert.deepEqual(listOf(strangers), []);
  });
}
