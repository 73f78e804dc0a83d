/** Folder of the server's own files in the data folder: no user can have this name. */
export const serverFolderName = '.server';

/** What lies beside the folders of users in the data folder, with what SQLite may put next to it. */
const serverFiles = /^accounts\.db(?:-journal|-wal|-shm)?$/;

/** Longest file name that all usual file systems take, UTF-8 bytes. */
const nameBytesMax = 255;
// What Windows refuses in names, or reads as a device; other systems take all of them.
const windowsForbidden = /[<>:"|?*]|[. ]$|^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
const controls = /[\u0000-\u001f\u007f]/;

/** Why a user cannot have this name, which is also the name of the user's folder; undefined when it is fine. */
export function problemOfUserName(name: string, platform: NodeJS.Platform): string | undefined {
  if (name === '') return 'is empty';
  if (name === '.' || name === '..') return 'means another folder';
  if (/[/\\]/.test(name)) return 'contains a path separator';
  if (controls.test(name)) return 'contains a control character';
  if (name.includes('\ufffd')) return 'is not valid UTF-8';
  if (Buffer.byteLength(name) > nameBytesMax) return `is longer than ${nameBytesMax} bytes`;
  if (foldedName(name) === serverFolderName) return "is the name of the server's own folder";
  if (serverFiles.test(foldedName(name))) return "is the name of one of the server's own files";
  if (platform === 'win32' && windowsForbidden.test(name)) return 'cannot be the name of a folder on Windows';
  return undefined;
}

/** The same for a user who is made by command; these can always be moved to a variable, and typed into any client. */
export function problemOfNewName(name: string, platform: NodeJS.Platform): string | undefined {
  if (name !== name.trim()) return 'begins or ends with a space, which Anki cuts off';
  if (name.includes(':')) return 'contains a colon';
  if (name.startsWith('.')) return 'begins with a dot';
  return problemOfUserName(name, platform);
}

/** Names with equal results share a folder on disks that ignore letter case. */
export function foldedName(name: string): string {
  return name.normalize('NFC').toLowerCase();
}
