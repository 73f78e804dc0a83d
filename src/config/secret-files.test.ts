import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from './config.ts';
import { type SecretFiles, withSecrets } from './secret-files.ts';

type Files = Readonly<Record<string, string | Uint8Array>>;

/** Files of a disk that has nothing else. */
function disk(files: Files): SecretFiles {
  return {
    read: (file) => {
      const content = files[file];
      if (content === undefined) throw new Error('ENOENT: no such file');
      return Buffer.from(content);
    },
    list: (folder) => {
      const inside = Object.keys(files).filter((file) => file.startsWith(`${folder}/`));
      if (inside.length === 0) throw new Error('ENOENT: no such folder');
      return inside.map((file) => file.slice(folder.length + 1));
    },
  };
}

function resolved(env: Record<string, string>, files: Files): Readonly<Record<string, string | undefined>> {
  const problems: string[] = [];
  const result = withSecrets(env, disk(files), problems);
  assert.deepEqual(problems, []);
  return result;
}

function problem(env: Record<string, string>, files: Files): string {
  const problems: string[] = [];
  withSecrets(env, disk(files), problems);
  assert.equal(problems.length, 1, problems.join('\n'));
  assert.doesNotMatch(problems[0] ?? '', /hunter2/);
  return problems[0] ?? '';
}

test('a secret comes from its file, whatever ends its line', () => {
  for (const ending of ['', '\n', '\r\n']) {
    const env = { SYNC_USER1_FILE: '/run/ann', SYNC_BASE: '/data' };
    const expected = { SYNC_USER1: 'ann:päss word ', SYNC_BASE: '/data' };
    assert.deepEqual(resolved(env, { '/run/ann': `ann:päss word ${ending}` }), expected, JSON.stringify(ending));
  }
  assert.equal(resolved({ SYNC_USER1_FILE: '/f' }, { '/f': '\ufeffann:x' })['SYNC_USER1'], 'ann:x');
});

test('a user from a file has the host key of the same user from a variable', () => {
  const surroundings = { homeFolder: '/home/ann', platform: 'linux' } as const;
  const files = disk({ '/run/ann': 'ann:secret\n' });
  const fromFile = readConfig({ ...surroundings, env: { SYNC_USER1_FILE: '/run/ann' }, files });
  const fromVariable = readConfig({ ...surroundings, env: { SYNC_USER1: 'ann:secret' } });
  assert.deepEqual(fromFile, fromVariable);
  assert.equal(fromFile.kind === 'config' && fromFile.config.users.length, 1);
});

test('credentials of systemd have the names of the variables, others are not ours', () => {
  const env = { CREDENTIALS_DIRECTORY: '/cred' };
  const files = { '/cred/SYNC_USER2': 'bob:x', '/cred/tls.key': 'other', '/cred/sync_user3': 'eve:x' };
  assert.deepEqual(resolved(env, files), { ...env, SYNC_USER2: 'bob:x' });
});

test('every secret can come from a file, and nothing else', () => {
  const env = { SYNC_METRICS_TOKEN_FILE: '/token', SYNC_BASE_FILE: '/x', SYNC_TLS_KEY_FILE: '/x' };
  assert.deepEqual(resolved(env, { '/token': 't\n' }), {
    SYNC_METRICS_TOKEN: 't',
    SYNC_BASE_FILE: '/x',
    SYNC_TLS_KEY_FILE: '/x',
  });
});

test('a file that cannot be used is named with its variable', () => {
  const env = { SYNC_USER7_FILE: '/run/ann' };
  const cases: readonly (readonly [Files, RegExp])[] = [
    [{}, /^SYNC_USER7_FILE: cannot use "\/run\/ann": ENOENT/],
    [{ '/run/ann': '' }, /empty/],
    [{ '/run/ann': '\n' }, /empty/],
    [{ '/run/ann': 'ann:hunter2\nbob:hunter2\n' }, /more than one line/],
    [{ '/run/ann': Buffer.from([0x61, 0x3a, 0xff]) }, /not valid UTF-8/],
    [{ '/run/ann': `ann:${'hunter2'.repeat(10_000)}` }, /longer than/],
  ];
  for (const [files, expected] of cases) assert.match(problem(env, files), expected);
  assert.match(problem({ CREDENTIALS_DIRECTORY: '/none' }, {}), /cannot look for credentials in "\/none"/);
});

test('a secret from two places is refused, and both are named', () => {
  const files = { '/f': 'ann:hunter2', '/cred/SYNC_USER1': 'ann:hunter2' };
  const both = { SYNC_USER1: 'ann:hunter2', SYNC_USER1_FILE: '/f' };
  assert.match(problem(both, files), /^SYNC_USER1 and SYNC_USER1_FILE both set SYNC_USER1/);
  const credential = { SYNC_USER1: 'ann:hunter2', CREDENTIALS_DIRECTORY: '/cred' };
  assert.match(problem(credential, files), /^SYNC_USER1 and SYNC_USER1 in CREDENTIALS_DIRECTORY both set/);
});
