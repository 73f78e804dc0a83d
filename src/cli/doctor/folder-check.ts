import { existsSync, lstatSync, readdirSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { type NamedUser, problemsOfDataFolder } from '../../accounts/data-folder.ts';
import { MiB } from '../../limits.ts';
import { sizeText } from '../commands/table.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

/** What is known of the data folder and its disk. */
export interface FolderFacts {
  readonly base: string;
  readonly exists: boolean;
  /** What would keep the server from using it, with the remedy; looked at without touching anything. */
  readonly problems: readonly string[];
  /** Entries whose owner is not that of the folder; the first few. */
  readonly strangers: readonly { readonly path: string; readonly uid: number }[];
  /** User id of the folder's owner, and of this process; undefined on Windows. */
  readonly ownerUid: number | undefined;
  readonly ownUid: number | undefined;
  readonly disk: DiskFacts | undefined;
  /** Largest body after decompression, bytes. */
  readonly inflatedBytesMax: number;
}

/** The file system below the data folder. */
export interface DiskFacts {
  /** Magic number of its kind, of Linux only. */
  readonly kind: number | undefined;
  readonly freeBytes: number;
  readonly freeFiles: number;
  /** 0 where the file system has no fixed number. */
  readonly filesMax: number;
}

const strangersToldMax = 3;
/** Less is too little for any upload, bytes. */
const freeBytesMin = 100 * MiB;
/** Below this share of all inodes a media sync of some thousand files may not fit. */
const freeFilesShareMin = 0.02;

/** `isServerRunning`: whether the server itself holds the files open, which is then no fault. */
export function gatherFolder(
  config: { readonly base: string; readonly users: readonly NamedUser[]; readonly inflatedBytesMax: number },
  isServerRunning: boolean,
): FolderFacts {
  const { base, users, inflatedBytesMax } = config;
  const exists = existsSync(base);
  const ownerUid = exists ? lstatSync(base).uid : undefined;
  return {
    base,
    exists,
    problems: isServerRunning ? [] : problemsOfDataFolder(base, users),
    strangers: exists && process.platform !== 'win32' ? entriesOfOthers(base, ownerUid) : [],
    ownerUid,
    ownUid: process.getuid?.(),
    disk: readDisk(base),
    inflatedBytesMax,
  };
}

/** In the folder itself and in those of users, which is where a server that ran as root leaves its traces. */
function entriesOfOthers(base: string, ownerUid: number | undefined): { path: string; uid: number }[] {
  const found: { path: string; uid: number }[] = [];
  const look = (folder: string, depth: number): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (found.length >= strangersToldMax) return;
      const file = path.join(folder, entry.name);
      const { uid } = lstatSync(file);
      if (uid !== ownerUid) found.push({ path: file, uid });
      if (entry.isDirectory() && depth > 0) look(file, depth - 1);
    }
  };
  try {
    look(base, 1);
  } catch {
    // What cannot be read is told by `problemsOfDataFolder`, or changes at this moment.
  }
  return found;
}

function readDisk(base: string): DiskFacts | undefined {
  let folder = base;
  while (!existsSync(folder) && path.dirname(folder) !== folder) folder = path.dirname(folder);
  try {
    const { type, bsize, bavail, ffree, files } = statfsSync(folder);
    const kind = process.platform === 'linux' ? type : undefined;
    return { kind, freeBytes: bavail * bsize, freeFiles: ffree, filesMax: files };
  } catch {
    return undefined;
  }
}

/** Can the server keep its data here, and will they still be there tomorrow? */
export function judgeFolder(facts: FolderFacts): readonly Finding[] {
  const { base, exists, problems } = facts;
  const first = exists
    ? ok(`the data folder ${base} is there`)
    : ok(`the data folder ${base} will be made at the start`);
  const remedy = 'The server refuses to start until this is mended.';
  return [
    ...(problems.length > 0 ? problems.map((text) => problem(text, remedy)) : [first]),
    ...judgeOwners(facts),
    ...(facts.disk === undefined ? [] : [...judgeRoom(facts.disk, facts.inflatedBytesMax), ...judgeKind(facts.disk)]),
  ];
}

function judgeOwners({ base, strangers, ownerUid, ownUid }: FolderFacts): Finding[] {
  const found: Finding[] = [];
  if (strangers.length > 0) {
    const names = strangers.map((entry) => `${entry.path} (${entry.uid})`).join(', ');
    const text = `not everything in ${base} belongs to the owner of the folder, user id ${ownerUid}: ${names}`;
    found.push(
      warning(
        text,
        `The server once ran as somebody else. Stop it and give all to the account that runs it: chown -R ${ownerUid} ${base}`,
      ),
    );
  }
  if (ownerUid !== undefined && ownUid !== undefined && ownerUid !== ownUid && ownUid !== 0) {
    const text = `the data folder belongs to user id ${ownerUid}, and the doctor runs as ${ownUid}`;
    found.push(
      warning(
        text,
        'Run the doctor as the account that runs the server; otherwise it cannot tell what that one may do.',
      ),
    );
  }
  return found;
}

function judgeRoom(disk: DiskFacts, inflatedBytesMax: number): Finding[] {
  const { freeBytes, freeFiles, filesMax } = disk;
  const free = `${sizeText(freeBytes)} are free on the disk of the data`;
  const remedy = 'Make room, or move the data folder to a larger disk while the server is stopped.';
  // A full upload lies there as sent, is inflated, and what it replaces is kept as well.
  const wanted = 3 * inflatedBytesMax;
  const found =
    freeBytes < freeBytesMin
      ? problem(`only ${free}`, `${remedy} With a full disk every sync is refused.`)
      : freeBytes < wanted
        ? warning(`only ${free}; a full upload of the largest size takes up to ${sizeText(wanted)}`, remedy)
        : ok(free);
  if (filesMax === 0 || freeFiles >= filesMax * freeFilesShareMin) return [found];
  return [
    found,
    warning(`only ${freeFiles} more files fit on the disk of the data`, `Each media file is a file there. ${remedy}`),
  ];
}

/** By the magic numbers of Linux, `statfs(2)`. */
const NETWORK_KINDS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0xff534d42, 'SMB (CIFS)'],
  [0x01021997, '9P, as between Windows and Linux'],
  [0x786f4256, 'a shared folder of VirtualBox'],
  [0x00c36400, 'Ceph'],
  [0x5346414f, 'AFS'],
]);
const inMemory = [0x01021994, 0x858458f6]; // tmpfs, ramfs
const overlay = 0x794c7630;
const fuse = 0x65735546;

function judgeKind({ kind }: DiskFacts): Finding[] {
  if (kind === undefined) return [];
  const unsigned = kind >>> 0;
  const network = NETWORK_KINDS.get(unsigned);
  if (network !== undefined) {
    const text = `the data lie on a network file system (${network})`;
    return [
      warning(
        text,
        'SQLite cannot rely on locks and fsync there, so a crash may damage collections. Use a local disk, and copy backups to the network.',
      ),
    ];
  }
  if (inMemory.includes(unsigned)) {
    return [
      problem('the data lie in memory (tmpfs)', 'They are gone after a restart. Set SYNC_BASE to a folder on a disk.'),
    ];
  }
  if (unsigned === overlay) {
    const remedy = 'Mount a volume there, for example -v anki-data:/data with SYNC_BASE=/data.';
    return [warning('the data lie in the layer of a container and go with it when it is replaced', remedy)];
  }
  if (unsigned === fuse) {
    const remedy = 'Make sure that it is a local disk: file systems of cloud storage lose data when a program crashes.';
    return [warning('the data lie on a file system of FUSE', remedy)];
  }
  return [ok('the data lie on a local disk')];
}
