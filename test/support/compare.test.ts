import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareStates } from './compare.ts';
import type { DeviceState } from './device.ts';

const sameRelease = { sameRelease: true };
const otherRelease = { sameRelease: false };

function state(facts: Readonly<Record<string, string>>): DeviceState {
  return { facts: new Map(Object.entries(facts)), unsent: {} };
}

test('equal states have no differences, and another value is one', () => {
  const one = state({ 'notes/1': '["a"]', 'decks/1/desc': '"x"' });
  assert.deepEqual(compareStates(one, one, sameRelease), []);
  const other = state({ 'notes/1': '["a"]', 'decks/1/desc': '"y"' });
  assert.deepEqual(compareStates(one, other, otherRelease), ['decks/1/desc: "x" ≠ "y"']);
});

test('an object that one device lacks is a difference between all releases', () => {
  for (const path of ['notes/1', 'cards/1', 'reviews/1', 'decks/1/id', 'notetypes/1/name', 'tags/a', 'media/a.txt']) {
    assert.equal(compareStates(state({ [path]: '1' }), state({}), otherRelease).length, 1, path);
    assert.equal(compareStates(state({}), state({ [path]: '1' }), sameRelease).length, 1, path);
  }
});

test('a key that one device has never heard of is none, if the server writes it by itself', () => {
  assert.deepEqual(compareStates(state({ 'decks/1/newLimit': 'null' }), state({}), sameRelease), []);
  assert.deepEqual(compareStates(state({ 'options/1/desiredRetention': '0.9' }), state({}), sameRelease), []);
  assert.equal(compareStates(state({ 'options/1/desiredRetention': '0.8' }), state({}), sameRelease).length, 1);
  assert.equal(compareStates(state({ 'decks/1/newLimit': '7' }), state({}), sameRelease).length, 1);
  assert.deepEqual(compareStates(state({ 'decks/1/newLimit': '7' }), state({}), otherRelease), []);
});

test('an exception covers its own paths only', () => {
  const [one, other] = [state({ 'tags/a': '', 'tags/b': '' }), state({})];
  assert.deepEqual(compareStates(one, other, { ...sameRelease, except: [/^tags\/a$/] }), ['tags/b:  ≠ (missing)']);
});
