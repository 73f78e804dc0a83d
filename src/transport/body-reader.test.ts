import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { ClientGoneError, readBody } from './body-reader.ts';

test('a client that is gone before its body is read does not leave a rejection that nobody hears', async () => {
  const request = new IncomingMessage(new Socket());
  request.destroy();
  const { promise: failure, reject } = Promise.withResolvers<never>();
  const reading = { bytesMax: 1, stalledMsMax: 1000, tooLong: () => new Error(), take: () => undefined, failure };
  await assert.rejects(readBody(request, reading), ClientGoneError);
  reject(new Error('the file that was to take the body was closed'));
  await new Promise(setImmediate); // An unheard rejection fails the test.
});
