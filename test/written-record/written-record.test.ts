import { after, before, test } from 'node:test';
import { type Server, startServer } from '../support/server.ts';
import { RECORDS } from './records.ts';

let server: Server;

before(async () => {
  server = await startServer({ users: RECORDS.length, kind: 'ours' });
});

after(async () => {
  await server[Symbol.asyncDispose]();
});

for (const record of RECORDS) {
  test(`${record.client} ${record.title}`, () => record.run(server, server.unusedUser()));
}
