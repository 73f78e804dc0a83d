import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { Statements } from './exact-rows.ts';

function openNumbers(...values: bigint[]): Statements {
  const db = new DatabaseSync(':memory:');
  db.exec('CREATE TABLE numbers (value integer)');
  for (const value of values) db.prepare('INSERT INTO numbers VALUES (?)').run(value);
  return new Statements(db);
}

test('64-bit integers come exactly: numbers where they can be, bigints beyond', () => {
  const sql = openNumbers(5n, -(2n ** 63n), 9007199254740993n, 9007199254740991n);
  const rows = sql.all('SELECT value FROM numbers ORDER BY rowid');
  assert.deepEqual(rows.flat(), [5, -(2n ** 63n), 9007199254740993n, 9007199254740991]);
});

test('a query that met a big integer once goes on being exact', () => {
  const sql = openNumbers(2n ** 60n, 3n);
  const query = 'SELECT value FROM numbers ORDER BY value';
  assert.deepEqual(sql.all(query), sql.all(query));
  assert.deepEqual(sql.get(query), [3]);
});

test('asking for a plain number where there is none is an error, not a zero', () => {
  const sql = openNumbers();
  assert.throws(() => sql.number('SELECT value FROM numbers'), /Not a plain number/);
});
