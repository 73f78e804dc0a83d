import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';

/** A 64-bit integer: a number while it is exact as one, else a bigint. */
export type ExactInteger = number | bigint;

/** One value of a row. Blobs are Uint8Array. */
export type SqlValue = ExactInteger | string | Uint8Array | null;

/** A row as the list of its columns. */
export type SqlRow = readonly SqlValue[];

const bigRowStatements = new WeakSet<StatementSync>();

/** A bigint that a number can hold exactly becomes one, so that equal integers are equal values. */
export function toExactInteger(value: bigint): ExactInteger {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/**
 * The statements of one connection, each prepared once and kept. Rows come as arrays with exact integers: SQLite's are
 * 64 bits wide, and node:sqlite refuses a whole result when one of them does not fit a number, so such a statement is
 * run again, from then on with bigints.
 */
export class Statements {
  readonly #db: DatabaseSync;
  readonly #queries = new Map<string, StatementSync>();
  readonly #changes = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Runs a change; returns the number of rows that changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#change(sql).run(...values).changes);
  }

  /** All rows of a query. */
  all(sql: string, ...values: SQLInputValue[]): SqlRow[] {
    const statement = this.#query(sql);
    if (!bigRowStatements.has(statement)) {
      try {
        return statement.all(...values) as unknown as SqlRow[];
      } catch (error) {
        if (!isOutOfRange(error)) throw error;
        statement.setReadBigInts(true);
        bigRowStatements.add(statement);
      }
    }
    const rows = statement.all(...values) as unknown as SqlValue[][];
    return rows.map((row) => row.map((value) => (typeof value === 'bigint' ? toExactInteger(value) : value)));
  }

  /** The first row of a query, or undefined. */
  get(sql: string, ...values: SQLInputValue[]): SqlRow | undefined {
    return this.all(sql, ...values)[0];
  }

  /** First column of the first row, which must be an integer that fits a number: a count, a usn, a time. */
  number(sql: string, ...values: SQLInputValue[]): number {
    const value = this.get(sql, ...values)?.[0];
    if (typeof value !== 'number') throw new Error(`Not a plain number: ${sql}`);
    return value;
  }

  #change(sql: string): StatementSync {
    let statement = this.#changes.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      // The result names the last row id too, and a big one would be refused after the row was written.
      statement.setReadBigInts(true);
      this.#changes.set(sql, statement);
    }
    return statement;
  }

  #query(sql: string): StatementSync {
    let statement = this.#queries.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      statement.setReturnArrays(true);
      this.#queries.set(sql, statement);
    }
    return statement;
  }
}

function isOutOfRange(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_OUT_OF_RANGE';
}
