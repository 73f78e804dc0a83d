import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashText } from '../../test/helpers/hash-text.ts';
import { IP_HEADERS } from './address-settings.ts';
import { type Config, readConfig, SETTINGS } from './config.ts';
import { LOG_LEVELS } from './log-settings.ts';

const ann = { SYNC_USER1: 'ann:secret' };

function read(env: Record<string, string>, homeFolder: string | undefined = '/home/ann') {
  return readConfig({ env, homeFolder, platform: 'linux' });
}

function config(env: Record<string, string>): Config {
  const reading = read(env);
  assert.ok(reading.kind === 'config', reading.kind === 'problems' ? reading.problems.join() : '');
  return reading.config;
}

/** The one problem: it starts with the variable and fits one line. */
function problem(env: Record<string, string>, homeFolder?: string): string {
  const reading = readConfig({ env, homeFolder: homeFolder ?? '/home/ann', platform: 'linux' });
  assert.ok(reading.kind === 'problems', `started with ${JSON.stringify(env)}`);
  assert.equal(reading.problems.length, 1, reading.problems.join('\n'));
  const [text = ''] = reading.problems;
  assert.match(text, /^(?:SYNC_|PASSWORDS_|MAX_)\w+\b.*\.$/);
  return text;
}

test('one user is all that must be set; the rest is as in the official server', () => {
  const { users, keeping: _, ...rest } = config(ann);
  assert.deepEqual(
    users.map(({ variable, name }) => [variable, name]),
    [['SYNC_USER1', 'ann']],
  );
  assert.deepEqual(rest, {
    base: '/home/ann/.syncserver',
    deviceKeys: false,
    host: '0.0.0.0',
    port: 8080,
    payloadBytesMax: 100 * 1024 * 1024,
    inflatedBytesMax: 300 * 1024 * 1024,
    listen: [{ kind: 'tcp', host: '0.0.0.0', port: 8080, tls: false, ipv6Only: false }],
    tlsFiles: undefined,
    ipHeader: 'ConnectInfo',
    trustedProxies: ['loopback', 'private'],
    quota: { collectionBytesMax: undefined, mediaBytesMax: undefined },
    logLevel: 'info',
    logFormat: 'text',
    metrics: { kind: 'off' },
  });
});

test('all users count, in the order of their numbers, whatever is missing between them', () => {
  const { users } = config({ SYNC_USER10: 'ten:x', SYNC_USER2: 'two:x', SYNC_USER9: 'nine:x' });
  assert.deepEqual(
    users.map(({ name }) => name),
    ['two', 'nine', 'ten'],
  );
});

test('a user is cut at the first colon, and nothing is trimmed', () => {
  const { users } = config({ SYNC_USER1: 'b:2:3', SYNC_USER2: 'd :  x ', SYNC_USER3: 'ü:日本', SYNC_USER4: 'e:' });
  const seen = users.map(({ name, password }) => [name, password.kind === 'plain' && password.text]);
  assert.deepEqual(seen, [
    ['b', '2:3'],
    ['d ', '  x '],
    ['ü', '日本'],
    ['e', ''],
  ]);
});

test('users that cannot be are refused, and no message shows a password', () => {
  const values = [
    'ann',
    '',
    ':x',
    '.:x',
    '..:x',
    '../up:x',
    'x/y:x',
    'x\\y:x',
    'a\0b:x',
    'a\nb:x',
    '.server:x',
    'accounts.db:x',
    'Accounts.DB-journal:x',
    '.SERVER:x',
    `${'x'.repeat(256)}:x`,
    '\ufffd:x',
    'a:\ufffd',
  ];
  for (const value of values) {
    assert.match(problem({ ...ann, SYNC_USER3: value }), /^SYNC_USER3\b/, JSON.stringify(value));
    assert.doesNotMatch(problem({ SYNC_USER3: value.replace(/x$/, 'hunter2') }), /hunter2/);
  }
  assert.match(problem({ ...ann, SYNC_USER2: 'ann:other' }), /^SYNC_USER2 has the same name as SYNC_USER1/);
  assert.deepEqual(config({}).users, [], 'there may be users in the data folder');
});

test('names that Windows cannot have are refused there only', () => {
  for (const name of ['d ', 'd.', 'a?b', 'CON', 'nul.txt']) {
    const env = { SYNC_USER1: `${name}:x` };
    assert.equal(readConfig({ env, homeFolder: '/', platform: 'linux' }).kind, 'config', name);
    assert.equal(readConfig({ env, homeFolder: 'C:\\', platform: 'win32' }).kind, 'problems', name);
  }
});

test('hashed passwords are recognised by any value but a plain no', () => {
  const user = { SYNC_USER1: `ann:${hashText({})}` };
  for (const yes of ['1', '', 'true', 'yes']) {
    assert.equal(config({ ...user, PASSWORDS_HASHED: yes }).users[0]?.password.kind, 'hashed', yes);
  }
  for (const no of ['0', 'false', 'No', 'off', ' 0 ']) {
    assert.equal(config({ ...user, PASSWORDS_HASHED: no }).users[0]?.password.kind, 'plain', no);
  }
  assert.match(problem({ ...ann, PASSWORDS_HASHED: '1' }), /^SYNC_USER1: .*not a PHC hash/);
});

test('a hash that can never match is warned of, and the server starts', () => {
  const reading = read({ SYNC_USER1: 'ann:$pbkdf2$i=1$abcd$aaaaaaaaaaaaaaaaaaaa', PASSWORDS_HASHED: '1' });
  assert.ok(reading.kind === 'config');
  assert.match(reading.warnings.join(), /^SYNC_USER1: .*can never match.*pbkdf2/);
});

test('values that do not fit are refused with the variable and what would fit', () => {
  const wrong = {
    SYNC_HOST: ['localhost', '', '[::1]', '1.2.3'],
    SYNC_PORT: ['', 'http', '70000', '-1', '1.5', '0x50', ' 80'],
    MAX_SYNC_PAYLOAD_MEGS: ['', 'many', '1.5', '-1', '0', '99999999999'],
    SYNC_IP_HEADER: ['X-Forwarded-For', 'RightmostForwarded', 'connectinfo', ''],
    SYNC_LOG_LEVEL: ['loud', ''],
    SYNC_BASE: [''],
    SYNC_DEVICE_KEYS: ['', 'maybe'],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values)
      assert.match(problem({ ...ann, [name]: value }), new RegExp(`^${name}\\b`), `${name}=${value}`);
  }
});

test('all problems are told at once', () => {
  const reading = read({ SYNC_HOST: 'x', SYNC_PORT: 'x', SYNC_USER1: 'x', SYNC_USER2: 'x' });
  assert.equal(reading.kind === 'problems' && reading.problems.length, 4);
});

test('without a home folder the data folder must be named', () => {
  const reading = readConfig({ env: ann, homeFolder: undefined, platform: 'linux' });
  assert.match(reading.kind === 'problems' ? reading.problems.join() : '', /^SYNC_BASE is not set/);
  assert.equal(
    readConfig({ env: { ...ann, SYNC_BASE: '/x' }, homeFolder: undefined, platform: 'linux' }).kind,
    'config',
  );
});

test('values that fit are taken', () => {
  const taken = config({
    ...ann,
    SYNC_HOST: '::1',
    SYNC_PORT: '0',
    MAX_SYNC_PAYLOAD_MEGS: '1',
    SYNC_BASE: '/data/../srv',
  });
  assert.deepEqual(
    [taken.host, taken.port, taken.payloadBytesMax, taken.inflatedBytesMax, taken.base],
    ['::1', 0, 2 ** 20, 3 * 2 ** 20, '/srv'],
  );
  for (const ipHeader of IP_HEADERS) assert.equal(config({ ...ann, SYNC_IP_HEADER: ipHeader }).ipHeader, ipHeader);
});

test('the log level is our own, or what was set for the official server', () => {
  for (const level of LOG_LEVELS) assert.equal(config({ ...ann, SYNC_LOG_LEVEL: level.toUpperCase() }).logLevel, level);
  const cases = {
    'anki=debug': 'debug',
    debug: 'debug',
    'warn,anki=trace': 'trace',
    'anki=info,hyper=warn': 'info',
    'hyper=debug': 'info',
    'anki::sync=warn': 'warn',
    off: 'off',
    anki: 'trace',
    '': 'info',
    nonsense: 'info',
  };
  for (const [text, level] of Object.entries(cases))
    assert.equal(config({ ...ann, RUST_LOG: text }).logLevel, level, text);
  assert.equal(config({ ...ann, RUST_LOG: 'anki=debug', SYNC_LOG_LEVEL: 'error' }).logLevel, 'error');
});

test('unknown variables are ignored, near misses of users are warned of', () => {
  const reading = read({ ...ann, SYNC_NONSENSE: '1', SYNC_: 'x', SYNC_USER: 'x:y', sync_user2: 'x:y' });
  assert.ok(reading.kind === 'config');
  assert.deepEqual(
    reading.warnings.map((text) => text.split(' ')[0]),
    ['SYNC_USER', 'sync_user2'],
  );
});

test('every variable is described', () => {
  const described = SETTINGS.map(({ name }) => name).join(' ');
  for (const name of [
    'SYNC_USER1',
    'PASSWORDS_HASHED',
    'SYNC_BASE',
    'SYNC_HOST',
    'SYNC_PORT',
    'MAX_SYNC_PAYLOAD_MEGS',
    'SYNC_IP_HEADER',
    'SYNC_LOG_LEVEL',
  ]) {
    assert.ok(described.includes(name), name);
  }
});
