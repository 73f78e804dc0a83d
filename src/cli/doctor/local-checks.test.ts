import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KiB, MiB } from '../../limits.ts';
import { judgeClock } from './clock-check.ts';
import { judgeCollections } from './collections-check.ts';
import { worstOf } from './finding.ts';
import { type FolderFacts, judgeFolder } from './folder-check.ts';
import { judgeLimits } from './limits-check.ts';
import { jsonReport, textReport } from './report.ts';
import { judgeServer } from './server-check.ts';
import { judgeSettings } from './settings-check.ts';
import { has, isFine } from './testing/findings.ts';

const GiB = 1024 * MiB;

const disk = { kind: 0xef53, freeBytes: 50 * GiB, freeFiles: 1e6, filesMax: 2e6 };
const folder: FolderFacts = {
  base: '/srv/anki',
  exists: true,
  problems: [],
  strangers: [],
  ownerUid: 1000,
  ownUid: 1000,
  disk,
  inflatedBytesMax: 300 * MiB,
};

test('a folder of its own on a local disk with room is fine', () => {
  isFine(judgeFolder(folder));
  isFine(judgeFolder({ ...folder, exists: false, ownerUid: undefined }));
  isFine(judgeFolder({ ...folder, ownUid: 0 })); // Root may look at everything.
});

test('what the server would refuse at its start is a problem in its words', () => {
  has(
    judgeFolder({ ...folder, problems: ['SYNC_BASE: /srv/anki cannot be written.'] }),
    'problem',
    /cannot be written/,
  );
});

test('files of somebody else are told by name, with the command that mends it', () => {
  const strangers = [{ path: '/srv/anki/ann', uid: 0 }];
  has(judgeFolder({ ...folder, strangers }), 'warning', /\/srv\/anki\/ann \(0\)/, /chown -R 1000 \/srv\/anki/);
  has(judgeFolder({ ...folder, ownUid: 33 }), 'warning', /runs as 33/, /as the account that runs the server/);
});

test('a full disk is a problem, one without room for a large upload a warning', () => {
  has(judgeFolder({ ...folder, disk: { ...disk, freeBytes: 50 * MiB } }), 'problem', /50\.0 MiB are free/, /Make room/);
  has(judgeFolder({ ...folder, disk: { ...disk, freeBytes: 500 * MiB } }), 'warning', /up to 900\.0 MiB/, /Make room/);
  has(judgeFolder({ ...folder, disk: { ...disk, freeFiles: 100 } }), 'warning', /only 100 more files/, /media file/);
  isFine(judgeFolder({ ...folder, disk: { ...disk, freeFiles: 0, filesMax: 0 } })); // Btrfs has no fixed number.
});

test('disks on which data are not safe are named', () => {
  const on = (kind: number) => judgeFolder({ ...folder, disk: { ...disk, kind } });
  has(on(0x6969), 'warning', /network file system \(NFS\)/, /local disk/);
  has(on(0xff534d42), 'warning', /SMB/, /local disk/);
  has(on(0xff534d42 | 0), 'warning', /SMB/, /local disk/); // The same number with a sign.
  has(on(0x01021994), 'problem', /in memory/, /SYNC_BASE/);
  has(on(0x794c7630), 'warning', /layer of a container/, /volume/);
  has(on(0x65735546), 'warning', /FUSE/, /cloud storage/);
});

test('a clock is wrong that lies before this program, before its own files, or far from the other one', () => {
  const nowMs = Date.UTC(2027, 5, 1);
  isFine(judgeClock({ nowMs, newestFileMs: nowMs - 1000, remoteAheadMs: 900 }));
  isFine(judgeClock({ nowMs, newestFileMs: undefined, remoteAheadMs: undefined }));
  has(judgeClock({ nowMs: 0, newestFileMs: undefined, remoteAheadMs: undefined }), 'problem', /1970/, /time server/);
  has(
    judgeClock({ nowMs, newestFileMs: nowMs + 3_600_000, remoteAheadMs: undefined }),
    'problem',
    /was changed at/,
    /clock/,
  );
  has(judgeClock({ nowMs, newestFileMs: undefined, remoteAheadMs: -301_000 }), 'problem', /differ by 301 s/, /clock/);
  has(judgeClock({ nowMs, newestFileMs: undefined, remoteAheadMs: 60_000 }), 'warning', /differ by 60 s/, /clock/);
});

test('few files or little memory are warnings, too little of it a problem', () => {
  const enough = { nodeVersion: '26.0.0', openFilesMax: 1024, memoryBytesMax: undefined, memoryFreeBytes: GiB };
  isFine(judgeLimits(enough));
  isFine(judgeLimits({ ...enough, openFilesMax: undefined, memoryBytesMax: 256 * MiB }));
  has(judgeLimits({ ...enough, openFilesMax: 256 }), 'warning', /256 files/, /LimitNOFILE/);
  has(judgeLimits({ ...enough, memoryBytesMax: 200 * MiB }), 'warning', /limited to 200\.0 MiB/, /--memory/);
  has(judgeLimits({ ...enough, memoryBytesMax: 64 * MiB }), 'problem', /limited to 64\.0 MiB/, /--memory/);
  has(judgeLimits({ ...enough, memoryFreeBytes: 10 * KiB }), 'warning', /10\.0 KiB of memory/, /memory/);
});

test('a place to listen is fine when our server has it, or when nobody has it and the server is stopped', () => {
  const where = 'http://127.0.0.1:8080/';
  isFine(judgeServer({ isRunning: true, listeners: [{ where, state: 'ours' }] }));
  const stopped = judgeServer({ isRunning: false, listeners: [{ where, state: 'free' }] });
  has(stopped, 'warning', /no server runs/, /Start it/);
  has(stopped, 'ok', /nobody else listens/);
  has(judgeServer({ isRunning: true, listeners: [{ where, state: 'free' }] }), 'problem', /nobody answers/, /restart/);
  has(
    judgeServer({ isRunning: false, listeners: [{ where, state: 'ours' }] }),
    'problem',
    /another data folder/,
    /SYNC_BASE/,
  );
  has(
    judgeServer({ isRunning: false, listeners: [{ where, state: 'other' }] }),
    'problem',
    /another program/,
    /SYNC_PORT/,
  );
  has(
    judgeServer({ isRunning: false, listeners: [{ where, state: { code: 'EACCES' } }] }),
    'problem',
    /EACCES/,
    /1024/,
  );
  has(
    judgeServer({ isRunning: false, listeners: [{ where, state: { code: 'EADDRNOTAVAIL' } }] }),
    'problem',
    /EADDR/,
    /SYNC_HOST/,
  );
});

test('a collection that cannot be read is a problem, a backup that cannot a warning', () => {
  const ann = {
    user: 'ann',
    hasFile: true,
    counts: { notes: 1, cards: 2, reviews: 3 },
    newestBackupMs: undefined,
    unreadableBackups: 0,
  };
  const judge = (user: typeof ann | (Omit<typeof ann, 'counts'> & { counts: undefined })) =>
    judgeCollections({ kind: 'looked', users: [user] });
  isFine(judge(ann));
  isFine(judge({ ...ann, hasFile: false, counts: undefined }));
  isFine(judgeCollections({ kind: 'looked', users: [] }));
  has(judge({ ...ann, counts: undefined }), 'problem', /ann: the collection cannot be read/, /restore ann latest/);
  has(judge({ ...ann, unreadableBackups: 2 }), 'warning', /2 of the backups/, /verify ann --repair/);
  has(judgeCollections({ kind: 'failed', reason: 'no right' }), 'warning', /no right/, /account/);
});

test('every problem of the settings is told', () => {
  const found = judgeSettings({ kind: 'problems', problems: ['SYNC_PORT: wrong.', 'SYNC_HOST: wrong.'] });
  assert.deepEqual(
    found.map(({ severity, text }) => [severity, text]),
    [
      ['problem', 'SYNC_PORT: wrong.'],
      ['problem', 'SYNC_HOST: wrong.'],
    ],
  );
});

test('the report counts, and puts the remedy below its finding', () => {
  const sections = [
    { title: 'Disk', findings: [{ severity: 'ok', text: 'fine' } as const] },
    { title: 'Port', findings: [{ severity: 'problem', text: 'taken', remedy: 'Use another.' } as const] },
  ];
  assert.equal(
    textReport(sections),
    'Disk\n  ok       fine\n\nPort\n  PROBLEM  taken\n           → Use another.\n\n1 problem, 0 warnings.',
  );
  assert.equal(textReport(sections.slice(0, 1)), 'Disk\n  ok       fine\n\nAll is well.');
  assert.equal(worstOf(sections), 'problem');
  assert.equal(worstOf([]), 'ok');
  assert.deepEqual(JSON.parse(jsonReport(sections, 'https://x/')), { url: 'https://x/', worst: 'problem', sections });
});
