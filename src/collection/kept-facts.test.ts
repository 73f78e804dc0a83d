import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { Statements } from '../storage/exact-rows.ts';
import { KeptFacts } from './kept-facts.ts';

function collection() {
  const db = new DatabaseSync(':memory:');
  db.exec('CREATE TABLE col (mod integer, scm integer, usn integer, ls integer); INSERT INTO col VALUES (1, 2, 3, 4)');
  return { db, sql: new Statements(db) };
}

test('what was noted of a collection holds until it changes, by whomever', () => {
  const { db, sql } = collection();
  const kept = new KeptFacts<number>();
  kept.keep('/a', sql, 7);
  assert.equal(kept.of('/a', sql), 7);
  assert.equal(kept.of('/b', sql), undefined);
  for (const column of ['mod', 'scm', 'usn', 'ls']) {
    kept.keep('/a', sql, 7);
    db.exec(`UPDATE col SET ${column} = ${column} + 1`);
    assert.equal(kept.of('/a', sql), undefined, column);
  }
});

test('another thread that takes it over knows the same, and forgets by the same rule', () => {
  const { db, sql } = collection();
  const before = new KeptFacts<number>();
  before.keep('/a', sql, 7);
  const after = new KeptFacts<number>();
  after.takeOver(structuredClone(before.entries()));
  assert.equal(after.of('/a', sql), 7);
  db.exec('UPDATE col SET usn = usn + 1');
  assert.equal(after.of('/a', sql), undefined);
});

test('the memory of collections is bounded; the oldest are forgotten first', () => {
  const { sql } = collection();
  const kept = new KeptFacts<number>();
  for (let at = 0; at < 10_001; at++) kept.keep(`/${at}`, sql, at);
  assert.equal(kept.of('/0', sql), undefined);
  assert.equal(kept.of('/10000', sql), 10_000);
});
