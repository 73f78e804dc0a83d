import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { Statements } from '../storage/exact-rows.ts';
import { indexProblem } from './index-check.ts';

const SCHEMA = `
  CREATE TABLE revlog (id integer PRIMARY KEY, cid integer NOT NULL, usn integer NOT NULL, time integer NOT NULL);
  CREATE INDEX ix_revlog_cid ON revlog (cid);
  CREATE INDEX ix_revlog_usn ON revlog (usn);
  CREATE TABLE cards (id integer PRIMARY KEY, did integer, queue integer, due integer, odid integer, data text);
  CREATE INDEX ix_cards_sched ON cards (did, queue, due);
  CREATE INDEX idx_cards_odid ON cards (odid) WHERE odid != 0;
`;

/** A collection's tables with rows, changed while an index is not looked after. */
function damaged(index: string, change: string, before = 'SELECT 1'): Statements {
  const db = new DatabaseSync(':memory:', { defensive: false });
  db.exec(SCHEMA);
  for (let id = 1; id <= 500; id++) {
    db.exec(`INSERT INTO revlog VALUES (${id}, ${id % 40}, ${id % 7}, 5);
      INSERT INTO cards VALUES (${id}, ${id % 3}, ${id % 5}, ${id}, ${id % 2}, '')`);
  }
  db.exec(before);
  const text = db.prepare('SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema WHERE name = ?').get(index);
  db.exec('PRAGMA writable_schema = ON');
  db.prepare('DELETE FROM sqlite_schema WHERE name = ?').run(index);
  db.exec(`PRAGMA writable_schema = RESET; ${change}; PRAGMA writable_schema = ON`);
  db.prepare('INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)').run(...Object.values(text ?? {}));
  db.exec('PRAGMA writable_schema = RESET');
  return new Statements(db);
}

for (const index of ['ix_revlog_cid', 'ix_revlog_usn']) {
  test(`${index} with a missing, a spare or a wrong entry is noticed`, () => {
    const column = index.slice(-3);
    assert.match(indexProblem(damaged(index, 'INSERT INTO revlog VALUES (999, 1, 1, 5)'), 'revlog') ?? '', /wrong #/);
    assert.match(indexProblem(damaged(index, 'DELETE FROM revlog WHERE id = 7'), 'revlog') ?? '', /wrong #/);
    const wrong = damaged(index, `UPDATE revlog SET ${column} = ${column} + 1 WHERE id = 7`);
    assert.match(indexProblem(wrong, 'revlog') ?? '', /not those/);
    const swapped = `UPDATE revlog SET ${column} = CASE id WHEN 7 THEN 2 ELSE 0 END WHERE id IN (7, 9)`;
    assert.match(indexProblem(damaged(index, swapped), 'revlog') ?? '', /not those/);
    assert.equal(indexProblem(damaged(index, 'SELECT 1'), 'revlog'), undefined);
  });
}

test('an entry with a frequent key that belongs to another row is noticed', () => {
  for (const key of [0, -1, 1]) {
    const before = `UPDATE revlog SET usn = ${key}`;
    assert.equal(indexProblem(damaged('ix_revlog_usn', 'SELECT 1', before), 'revlog'), undefined);
    const moved = damaged('ix_revlog_usn', 'UPDATE revlog SET id = 900 WHERE id = 7', before);
    assert.match(indexProblem(moved, 'revlog') ?? '', /not those/, String(key));
  }
});

test('indexes over several columns and over some rows are compared too', () => {
  assert.equal(indexProblem(damaged('ix_cards_sched', 'SELECT 1'), 'cards'), undefined);
  assert.match(indexProblem(damaged('ix_cards_sched', 'UPDATE cards SET due = 9 WHERE id = 8'), 'cards') ?? '', /not/);
  assert.match(
    indexProblem(damaged('ix_cards_sched', 'UPDATE cards SET did = queue, queue = did'), 'cards') ?? '',
    /not/,
  );
  assert.match(indexProblem(damaged('idx_cards_odid', 'UPDATE cards SET odid = 1'), 'cards') ?? '', /wrong #/);
  assert.equal(indexProblem(damaged('idx_cards_odid', 'SELECT 1'), 'cards'), undefined);
});

test('an index of an add-on over texts is left to the check of SQLite', () => {
  const index = 'CREATE INDEX addon ON cards (data)';
  assert.equal(indexProblem(damaged('ix_cards_sched', index), 'cards'), undefined);
  assert.match(
    indexProblem(damaged('ix_cards_sched', `${index}; DELETE FROM cards WHERE id = 1`), 'cards') ?? '',
    /wrong/,
  );
});
