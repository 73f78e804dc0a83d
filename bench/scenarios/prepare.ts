import { copyFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { MadeCollection } from '../data/collections.ts';
import type { ServerSettings } from '../servers/server-process.ts';

/** Gives the first accounts these collections, as if they had synced before. */
export function withCollections(...made: readonly MadeCollection[]): NonNullable<ServerSettings['prepare']> {
  return async (base, accounts) => {
    for (const [at, { file }] of made.entries()) {
      const folder = path.join(base, accounts[at]?.name ?? '');
      await mkdir(folder, { recursive: true });
      await copyFile(file, path.join(folder, 'collection.anki2'));
    }
  };
}

/** Gives every account this collection. */
export function withSame(made: MadeCollection): NonNullable<ServerSettings['prepare']> {
  return (base, accounts) => withCollections(...accounts.map(() => made))(base, accounts);
}
