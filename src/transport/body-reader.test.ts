import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteCollector, ClientGoneError, readBody } from './body-reader.ts';

test('a client that is gone before its body is read does not leave a rejection that nobody hears', async () => {
  const request = new IncomingMessage(new Socket());
  request.destroy();
  const { promise: failure, reject } = Promise.withResolvers<never>();
  const reading = { bytesMax: 1, stalledMsMax: 1000, tooLong: () => new Error(), take: () => undefined, failure };
  await assert.rejects(readBody(request, reading), ClientGoneError);
  reject(new Error('the file that was to take the body was closed'));
  await new Promise(setImmediate); // An unheard rejection fails the test.
});

test('a collector gives back what it took, in memory of its own, however it came', () => {
  const piece = fc.record({ bytes: fc.uint8Array({ maxLength: 50 }), isPart: fc.boolean() });
  fc.assert(
    fc.property(fc.array(fc.array(piece)), (bodies) => {
      const collector = new ByteCollector();
      for (const pieces of bodies) {
        const wanted = Buffer.concat(pieces.map(({ bytes }) => bytes));
        for (const { bytes, isPart } of pieces) {
          const larger = new Uint8Array([...bytes, 0]);
          collector.take(isPart ? larger.subarray(0, bytes.length) : Uint8Array.from(bytes));
        }
        assert.equal(collector.byteLength, wanted.length);
        const got = collector.release();
        assert.deepEqual([...got], [...wanted]);
        assert.equal(got.buffer.byteLength, got.byteLength);
      }
      assert.equal(collector.release().byteLength, 0);
    }),
  );
});
