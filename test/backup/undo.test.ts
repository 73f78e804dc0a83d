import assert from 'node:assert/strict';
import { chmodSync, readdirSync, writeFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { newestClient } from '../support/clients.ts';
import { startServer } from '../support/server.ts';
import { waitFor } from './wait.ts';

test('x', async () => {
  await using server = await startServer();
  const [user = ''] = server.users;
  await using laptop = await server.device({ version: newestClient });
  await laptop.addNotes(Array.from({ length: 30 }, (_, n) => ({ fields: [`q${n}`, 'a'] })));
  console.log(await laptop.sync());
  await laptop.upload();
  await using phone = await server.device({ version: newestClient });
  await phone.addNote({ fields: ['x', 'y'] });
  console.log(await phone.sync());
  await phone.upload();
  const folder = path.join(server.base, user, 'backups');
  await waitFor(() => readdirSync(folder).length >= 2 && readdirSync(folder).every((n) => n.endsWith('.colpkg')));
  console.log(readdirSync(folder));
  console.log(server.log);
});
