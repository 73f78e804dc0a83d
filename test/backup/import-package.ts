import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { ClientVersion } from '../support/clients.ts';
import { childEnvironment } from '../support/environment.ts';
import { preparePythonEnv } from '../support/python-envs.ts';

export interface ImportedPackage {
  readonly notes: number;
  readonly cards: number;
  /** First fields, in the order of the notes. */
  readonly fronts: readonly string[];
}

// What the program does behind File > Import.
const SCRIPT = `
import json, os, sys
from anki.collection import Collection
from anki._backend import RustBackend
package, folder = sys.argv[1:]
collection = os.path.join(folder, "collection.anki2")
media = os.path.join(folder, "collection.media")
RustBackend().import_collection_package(
    col_path=collection, backup_path=package, media_folder=media, media_db=os.path.join(folder, "media.db"))
col = Collection(collection)
count = lambda table: col.db.scalar(f"select count() from {table}")
fronts = [flds.split(chr(31))[0] for flds in col.db.list("select flds from notes order by id")]
print(json.dumps({"notes": count("notes"), "cards": count("cards"), "fronts": fronts}))
col.close()
`;

/** Imports a package of a whole collection with a released Anki; undefined when that release is not here. */
export async function importPackage(version: ClientVersion, file: string): Promise<ImportedPackage | undefined> {
  const client = await preparePythonEnv(version);
  if (client.kind === 'missing') return undefined;
  const folder = await mkdtemp(path.join(os.tmpdir(), 'anki-import-'));
  try {
    const options = { env: childEnvironment({}) };
    const { stdout } = await promisify(execFile)(client.python, ['-c', SCRIPT, file, folder], options);
    return JSON.parse(stdout) as ImportedPackage;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
