import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { SyncError, type SyncErrorCode } from '../../src/errors.ts';
import { collectionQuotaText } from '../../src/lanes/quota.ts';
import { uploadCorrupt, uploadNotKept } from '../../src/protocol/full-upload.ts';
import { mediaQuotaText } from '../../src/protocol/media/media-quota.ts';
import { errorResponse } from '../../src/transport/error-response.ts';
import { newestClient } from '../support/clients.ts';
import { preparePythonEnv } from '../support/python-envs.ts';
import { codeBlocks, headings, page, read } from './pages.ts';

const run = promisify(execFile);

/** What the client has to say, and what it shows. */
interface Messages {
  readonly translations: readonly string[];
  /** What is shown when a server answers a login with this status. */
  readonly byStatus: Readonly<Record<string, string>>;
  /** What is shown when nobody answers, the address is none, or a page for people comes. */
  readonly others: Readonly<Record<string, string>>;
}

/** Statuses that come from proxies and other programs in the server's place. */
const FOREIGN_STATUSES = [401, 404, 502, 503, 504];

/** Every status with which this server refuses a client. */
const STATUSES = [...read('src/errors.ts').matchAll(/^ {2}\| '(\w+)'/gm)].map(
  ([, code]) => errorResponse(new SyncError(code as SyncErrorCode, 'why')).status,
);

/** Texts that clients show as the server wrote them. */
const SERVER_TEXTS = [
  uploadCorrupt,
  uploadNotKept,
  collectionQuotaText(2, 1),
  mediaQuotaText({ bytesBefore: 0, bytesAfter: 2 }, 1),
  read('src/protocol/meta.ts'),
];

for (const [file, language, quotes] of [
  ['docs/troubleshoot.md', 'en_US', /"([^"]+)"/g],
  ['docs/ja/troubleshoot.md', 'ja_JP', /「([^」]+)」/g],
] as const) {
  test(`the messages in ${file} are those that Anki ${newestClient} shows, and none is missing`, async (t) => {
    const client = await preparePythonEnv(newestClient);
    if (client.kind === 'missing') return t.skip(client.reason);
    assert.ok(STATUSES.length > 5);
    const said = await askClient(client.python, language);
    const titles = headings(page(file)).map(({ title }) => [...title.matchAll(quotes)].map(([, text = '']) => text));
    const quoted = titles.filter((parts) => parts.length > 0);

    const shown = { ...said.byStatus, ...said.others };
    const texts = [...said.translations, ...Object.values(shown), ...SERVER_TEXTS];
    const unknown = quoted.flat().filter((quote) => !texts.some((text) => holds(text, quote)));
    assert.deepEqual(unknown, []);

    const isQuoted = (text: string) => quoted.some((parts) => parts.every((part) => holds(text, part)));
    assert.deepEqual(
      Object.entries(shown).filter(([, text]) => !isQuoted(text)),
      [],
    );
  });
}

test('the add-on for Anki 2.1.15 in docs/clients.md leads to the server, whatever number AnkiWeb gave', async (t) => {
  const client = await preparePythonEnv('2.1.15');
  if (client.kind === 'missing') return t.skip(client.reason);
  const [addOn] = codeBlocks(page('docs/clients.md')).filter(({ language }) => language === 'python');
  assert.ok(addOn !== undefined);
  const program = `${addOn.code}\nfrom anki.sync import RemoteServer\nprint(RemoteServer(None, hostNum=7).syncURL())`;
  const env = { ...process.env, PYTHONPATH: client.library ?? '' };
  const { stdout } = await run(client.python, ['-c', program], { env });
  assert.equal(stdout.trim(), 'http://192.168.1.20:8080/sync/');
});

/** Does a text have this quotation? An ellipsis stands for anything. */
function holds(text: string, quote: string): boolean {
  const parts = quote.split(/ ?… ?/).filter((part) => part !== '');
  let at = 0;
  return parts.every((part) => {
    const found = text.indexOf(part, at);
    at = found + part.length;
    return found !== -1;
  });
}

async function askClient(python: string, language: string): Promise<Messages> {
  const script = path.join(import.meta.dirname, 'client-messages.py');
  const statuses = [...new Set([...STATUSES, ...FOREIGN_STATUSES])].map(String);
  const { stdout } = await run(python, [script, language, ...statuses]);
  return JSON.parse(stdout);
}
