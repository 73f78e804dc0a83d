import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SyncError } from '../errors.ts';
import { parseSyncHeader } from './sync-header.ts';

const good = { v: 11, k: 'key', c: '26.09.3,abc,linux', s: 'a1B2c3' };

function isRefused(text: string): boolean {
  try {
    parseSyncHeader(text);
    return false;
  } catch (error) {
    assert.ok(error instanceof SyncError && error.code === 'malformedRequest');
    assert.ok(!error.message.includes('key') || !text.includes('key'), 'the host key is not quoted');
    return true;
  }
}

test('the header says version, host key, client and session', () => {
  assert.deepEqual(parseSyncHeader(JSON.stringify(good)), {
    syncVersion: 11,
    hostKey: 'key',
    clientVersion: '26.09.3,abc,linux',
    sessionKey: 'a1B2c3',
  });
});

test('versions 8 to 11 are taken, written as plain integers only', () => {
  for (const version of [8, 9, 10, 11])
    assert.equal(parseSyncHeader(JSON.stringify({ ...good, v: version })).syncVersion, version);
  for (const version of ['0', '7', '12', '255', '256', '-1', '"11"', '11.0', '1.1e1', 'null', 'true', '[11]']) {
    assert.ok(isRefused(`{"v":${version},"k":"x","c":"","s":""}`), version);
  }
});

test('every key is needed, once, and as a text', () => {
  for (const key of ['v', 'k', 'c', 's']) {
    const { [key]: _, ...rest } = good as Record<string, unknown>;
    assert.ok(isRefused(JSON.stringify(rest)), `${key} missing`);
    assert.ok(isRefused(JSON.stringify({ ...good, [key]: null })), `${key} null`);
    assert.ok(isRefused(JSON.stringify({ ...good, [key]: {} })), `${key} an object`);
    assert.ok(isRefused(JSON.stringify(good).replace('{', `{${JSON.stringify(key)}: 11,`)), `${key} twice`);
  }
  assert.ok(isRefused('{"v":11,"k":"x","c":"","s":"","\\u006b":"y"}'), 'k twice, once escaped');
});

test('unknown keys are ignored, whatever they hold', () => {
  const extra = { x: [{ k: 'other', v: 1 }], y: '"k":"z","k":', z: { k: 1, v: 2 } };
  assert.equal(parseSyncHeader(JSON.stringify({ ...extra, ...good })).hostKey, 'key');
  assert.equal(parseSyncHeader('{"x":1,"x":2,"v":11,"k":"a","c":"","s":""}').hostKey, 'a');
});

test('escapes are read, raw characters beyond ASCII are not', () => {
  assert.equal(parseSyncHeader('{"v":11,"k":"","c":"\\u00e9","s":""}').clientVersion, 'é');
  assert.ok(isRefused('{"v":11,"k":"","c":"é","s":""}'));
  assert.ok(isRefused('{"v":11,"k":"","c":"\\ud800","s":""}'), 'half a surrogate pair');
});

test('what is no JSON object is refused', () => {
  for (const text of [
    '',
    'x',
    '{}',
    '[]',
    '[11,"k","",""]',
    'null',
    `${JSON.stringify(good)} x`,
    '{"v":11',
    `{"v":11,"k":"${'x'.repeat(5000)}","c":"","s":""}`,
  ]) {
    assert.ok(isRefused(text), text.slice(0, 50));
  }
});

test('nothing else is ever thrown, and what is read is what was written', () => {
  fc.assert(fc.property(fc.string(), (text) => void isRefused(text)));
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (k, c, s) => {
      const ascii = JSON.stringify({ v: 11, k, c, s }).replaceAll(
        /[^\x20-\x7e]/g,
        (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
      );
      const header = parseSyncHeader(ascii);
      assert.deepEqual([header.hostKey, header.clientVersion, header.sessionKey], [k, c, s]);
    }),
  );
});

test('it does not matter in which order and with how many blanks the header is written', () => {
  const text = fc.string({ unit: fc.constantFrom('a', ' ', '"', '\\', ',', '}', '\t', '~', '!') });
  fc.assert(
    fc.property(text, text, text, fc.integer({ min: 7, max: 12 }), (k, c, s, v) => {
      const [usual, spaced, turned] = [
        JSON.stringify({ v, k, c, s }),
        JSON.stringify({ v, k, c, s }, null, 1).replaceAll('\n', ' '),
        JSON.stringify({ s, c, k, v }),
      ].map((header) => (isRefused(header) ? 'refused' : parseSyncHeader(header)));
      assert.deepEqual(usual, spaced);
      assert.deepEqual(usual, turned);
    }),
  );
});
