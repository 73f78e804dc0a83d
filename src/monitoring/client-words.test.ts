import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientInWords } from './client-words.ts';

test('clients of all kinds are named as people name them', () => {
  const words = {
    '26.09.3,29bb700b,linux': 'desktop 26.09.3 on linux',
    'anki,26.09.3 (29bb700b),linux': 'desktop 26.09.3 on linux',
    '25.07,abc,win:11': 'desktop 25.07 on windows',
    '25.07,abc,macos': 'desktop 25.07 on macOS',
    'ankidesktop,2.1.15 (442df9d6),lin:debian:12': 'desktop 2.1.15 on linux',
    'ankidesktop,2.1.15,lin:debian:12': 'desktop 2.1.15 on linux',
    'ankidroid,2.15.6,': 'AnkiDroid 2.15.6',
    '25.07,abc,android:2.22.0:14': 'AnkiDroid 2.22.0',
    'anki,25.07 (abc),android': 'AnkiDroid 25.07',
    '25.09,abc,ios': 'AnkiMobile 25.09',
    '26.09.3,test,': 'desktop 26.09.3',
  };
  assert.deepEqual(Object.fromEntries(Object.keys(words).map((text) => [text, clientInWords(text)])), words);
});

test('what is no name of a client is not repeated', () => {
  for (const text of ['', 'x', ',', ',,,', '1\n2,a,b', '\u001b[31m,\u001b[31m,x', `anki,${'9'.repeat(25)},linux`]) {
    assert.equal(clientInWords(text), 'a client that does not say its name', JSON.stringify(text));
  }
  assert.equal(clientInWords('26.09,x,lin ux" uid="eve'), 'desktop 26.09');
  assert.equal(clientInWords('26.09,x,__proto__'), 'desktop 26.09 on __proto__');
  assert.equal(clientInWords('26.09,x,constructor'), 'desktop 26.09 on constructor');
});
