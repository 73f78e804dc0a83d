import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';

const ROOT = path.join(import.meta.dirname, '..');
const FOLDERS = ['src', 'bench', 'test'].filter((folder) => existsSync(path.join(ROOT, folder)));
const linesMax = 400;

interface SourceFile {
  readonly file: string;
  readonly lines: readonly string[];
  readonly isTest: boolean;
}

/** All but generated code and this file, which has to name what it looks for. */
const FILES: readonly SourceFile[] = globSync(
  FOLDERS.map((folder) => `${folder}/**/*.ts`),
  { cwd: ROOT },
)
  .filter((file) => !file.endsWith('_pb.ts') && path.join(ROOT, file) !== import.meta.filename)
  .map((file) => ({
    file,
    lines: readFileSync(path.join(ROOT, file), 'utf8').split('\n'),
    isTest: /^test\/|\/testing\/|\.test\.ts$/.test(file),
  }));

const PROGRAM_FILES = FILES.filter(({ isTest }) => !isTest);

function linesWith(pattern: RegExp, files: readonly SourceFile[]): string[] {
  return files.flatMap(({ file, lines }) =>
    lines.flatMap((line, index) => (pattern.test(line) ? [`${file}:${index + 1} ${line.trim()}`] : [])),
  );
}

test('functions fit on a screen and nothing is left behind from debugging', () => {
  const biome = createRequire(import.meta.url).resolve('@biomejs/biome/bin/biome');
  const folders = FOLDERS.filter((folder) => folder !== 'test');
  const rules = path.join(import.meta.dirname, 'tidy-rules.json');
  const options = [`--config-path=${rules}`, '--diagnostic-level=error', '--colors=off'];
  const lint = spawnSync(process.execPath, [biome, 'lint', ...options, ...folders], { cwd: ROOT, encoding: 'utf8' });
  assert.equal(lint.status, 0, `${lint.stdout}${lint.stderr}`);
});

test(`no file of the program is longer than ${linesMax} lines`, () => {
  const long = PROGRAM_FILES.filter(({ lines }) => lines.length > linesMax + 1);
  assert.deepEqual(
    long.map(({ file, lines }) => `${file}: ${lines.length - 1} lines`),
    [],
  );
});

test('queries of the program list their columns', () => {
  assert.deepEqual(linesWith(/\bselect\s+(?:\w+\.)?\*/i, PROGRAM_FILES), []);
});

test('nothing is put off', () => {
  assert.deepEqual(linesWith(/\b(?:TODO|FIXME|XXX|HACK)\b/, FILES), []);
});

test('nothing depends on the machine it was written on', () => {
  assert.deepEqual(linesWith(/(?<![\w.)}])\/(?:work|root|Users)\/\w|[A-Z]:\\Users/, FILES), []);
  assert.deepEqual(linesWith(/(?<![\w.)}])\/(?:home|tmp)\/\w/, PROGRAM_FILES), []);
});

test('only the configuration reads the environment', () => {
  const others = PROGRAM_FILES.filter(({ file }) => file.startsWith('src/') && file !== 'src/config/config.ts');
  assert.deepEqual(linesWith(/\bprocess\.env\b(?!`)/, others), []);
});
