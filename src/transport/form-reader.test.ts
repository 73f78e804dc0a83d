import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { formBody } from '../../test/helpers/http-harness.ts';
import { KiB, MiB } from '../limits.ts';
import { FormReader, missingClosing } from './form-reader.ts';
import { Spool, SpoolRoom } from './spool.ts';

const folder = await mkdtemp(path.join(tmpdir(), 'anki-form-'));
after(() => rm(folder, { recursive: true, force: true }));

async function read(
  body: Buffer,
  pieceBytes = body.length,
): Promise<{ fields: Record<string, string>; payload?: Buffer }> {
  await using reader = new FormReader(
    'multipart/form-data; boundary=b',
    () => new Spool(new SpoolRoom(folder, 100 * MiB), false),
  );
  for (let at = 0; at < body.length; at += pieceBytes) await reader.take(body.subarray(at, at + pieceBytes));
  const { fields, payload } = await reader.finish();
  return { fields: Object.fromEntries(fields), ...(payload && { payload: Buffer.from(await payload.bytes()) }) };
}

test('every payload and field comes out as it was put in, wherever the body is cut', async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 * KiB }),
    // Bytes that look like a form.
    fc
      .array(fc.constantFrom('\r', '\n', '-', '--b', '\r\n--', '\r\n--a', 'x'))
      .map((texts) => new TextEncoder().encode(texts.join(''))),
  );
  const isHarmless = (content: Uint8Array) => !`\r\n${Buffer.from(content).toString('latin1')}`.includes('\r\n--b');
  await fc.assert(
    fc.asyncProperty(
      bytes.filter(isHarmless),
      fc.string({ maxLength: 50 }),
      fc.integer({ min: 1, max: 70 * KiB }),
      fc.boolean(),
      async (content, s, pieceBytes, isFirst) => {
        fc.pre(isHarmless(Buffer.from(s)));
        const data = ['data', content] as const;
        const fields = [
          ['k', 'key'],
          ['s', s],
        ] as const;
        const form = await read(
          formBody(isFirst ? [data, ...fields] : [...fields, data], 'b'),
          Math.max(pieceBytes, content.length / 200),
        );
        assert.deepEqual(form.fields, { k: 'key', s: Buffer.from(s).toString() });
        assert.ok(form.payload?.equals(content));
      },
    ),
    { numRuns: 60 },
  );
  assert.deepEqual(await readdir(folder), []);
});

test('a large payload goes through a file that is gone afterwards', async () => {
  const content = Buffer.alloc(3 * MiB, 'abc\r\n--');
  assert.ok(
    (
      await read(
        formBody(
          [
            ['data', content],
            ['k', 'x'],
          ],
          'b',
        ),
        64 * KiB,
      )
    ).payload?.equals(content),
  );
  assert.deepEqual(await readdir(folder), []);
});

test('names like __proto__ are names like all others', async () => {
  const { fields } = await read(
    formBody(
      [
        ['__proto__', '1'],
        ['k', '2'],
      ],
      'b',
    ),
  );
  assert.equal(fields['k'], '2');
});

test('the closing boundary is only supplied where a text field ends the body', () => {
  const missing = (body: Buffer | string) => missingClosing(Buffer.from(body), 'b');
  const [text, data] = [
    ['k', 'x'],
    ['data', Buffer.from('y')],
  ] as const;
  assert.equal(missing(formBody([text], 'b')), '');
  assert.equal(missing(formBody([data], 'b')), '');
  assert.equal(missing('--b--'), '');
  assert.equal(missing(formBody([text], 'b', false)), '--b--\r\n');
  assert.equal(missing(formBody([text], 'b', false).subarray(0, -2)), '\r\n--b--\r\n');
  assert.equal(missing(formBody([text, data], 'b', false)), undefined);
  assert.equal(missing(formBody([['data', 'y']], 'b', false)), undefined);
  assert.equal(missing('--b\r\nContent-Disposition: form-data; name="k"\r\n'), undefined);
  assert.equal(missing('garbage'), undefined);
});
