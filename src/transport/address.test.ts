import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MEDIA_METHODS, SYNC_METHODS } from '../protocol/message.ts';
import { intendedTarget, methodOf, type RequestLook } from './address.ts';

const modern = { method: 'POST', hasSyncHeader: true, contentType: undefined };
const form = { method: 'POST', hasSyncHeader: false, contentType: 'multipart/form-data; boundary=b' };
const bare = { method: 'POST', hasSyncHeader: false, contentType: undefined };
const get = { method: 'GET', hasSyncHeader: false, contentType: undefined };

function meant(target: string, look: Omit<RequestLook, 'target'>): string {
  return intendedTarget({ ...look, target });
}

test('right addresses stay as they are', () => {
  for (const look of [modern, form, bare, get]) {
    for (const method of SYNC_METHODS) assert.equal(meant(`/sync/${method}`, look), `/sync/${method}`);
    for (const method of MEDIA_METHODS) assert.equal(meant(`/msync/${method}`, look), `/msync/${method}`);
    for (const target of ['/', '/health', '/?k=x', '*']) assert.equal(meant(target, look), target);
  }
});

test('any prefix that ends in sync or msync leads to the method, and so does none', () => {
  const junk = fc.array(fc.constantFrom('', '', 'sync', 'msync', 'anki', 'a%20b'));
  const methods = fc.constantFrom(...SYNC_METHODS, ...MEDIA_METHODS);
  fc.assert(
    fc.property(
      junk,
      fc.constantFrom('sync/', 'msync/', 'sync//', 'Sync/', 'sync', 'msync'),
      methods,
      fc.boolean(),
      (before, prefix, method, hasSlash) => {
        const target = `/${before.map((segment) => `${segment}/`).join('')}${prefix}${method}${hasSlash ? '/' : ''}`;
        const isMedia = MEDIA_METHODS.some((name) => name === method);
        assert.equal(meant(target, form), `/${isMedia ? 'msync' : 'sync'}/${method}`, target);
      },
    ),
  );
  for (const method of SYNC_METHODS) assert.equal(meant(`//${method}`, modern), `/sync/${method}`);
});

test('addresses of other things are left alone, also for sync messages', () => {
  for (const target of [
    '/admin/upload',
    '/x/meta',
    '/sync/nonsense',
    '/sync/meta/x',
    '/upload/file',
    '/syncx/meta',
    '/resync/meta',
  ]) {
    assert.equal(meant(target, form), target);
  }
});

test('requests that are no sync messages keep their address', () => {
  for (const target of ['//sync/meta', '/sync//meta', '/sync/meta/', '/meta', '/syncmeta', '/sync/sync/meta']) {
    assert.equal(meant(target, bare), target);
    assert.equal(meant(target, { ...form, contentType: 'multipart/form-database' }), target);
    assert.equal(meant(target, get), target);
  }
});

test('begin by GET is known by its key and keeps its query', () => {
  assert.equal(meant('/sync/msync/begin?v=1&k=2', get), '/msync/begin?v=1&k=2');
  assert.equal(meant('//begin?k=2', get), '/msync/begin?k=2');
  assert.equal(meant('/begin?kk=2', get), '/begin?kk=2');
});

test('a whole address as target counts by its path', () => {
  assert.equal(meant('http://elsewhere.example:1/sync/meta?x', bare), '/sync/meta?x');
  assert.equal(meant('HTTP://elsewhere.example', bare), 'HTTP://elsewhere.example');
  assert.equal(meant('http://elsewhere.example?x', bare), '/?x');
});

test('a target is a message only with its own prefix, its own letters and a verb that it takes', () => {
  for (const method of SYNC_METHODS) assert.equal(methodOf('POST', `/sync/${method}`), method);
  for (const method of MEDIA_METHODS) assert.equal(methodOf('POST', `/msync/${method}?k=x`), method);
  for (const verb of ['GET', 'HEAD']) assert.equal(methodOf(verb, '/msync/begin?k=x'), 'begin');
  const others = [
    '/sync/begin',
    '/msync/meta',
    '/sync/Meta',
    '/sync/meta/',
    '/sync/',
    '/sync',
    '/',
    '/x/sync/meta',
    '',
  ];
  for (const target of others) assert.equal(methodOf('POST', target), undefined, target);
  for (const target of ['/sync/meta', '/msync/mediaSanity']) assert.equal(methodOf('GET', target), undefined, target);
  assert.equal(methodOf('PUT', '/msync/begin'), undefined);
});
