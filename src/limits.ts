/** Every maximum, with its unit and where it comes from. Passing one is a named error, never a shorter result. */

export const KiB = 1024;
export const MiB = 1024 * KiB;

/** Default of `MAX_SYNC_PAYLOAD_MEGS`. Same as the official server. */
export const payloadMegsDefault = 100;
/** An inflated body may be this many times `MAX_SYNC_PAYLOAD_MEGS`. Same as the official server. */
export const inflatedPerPayload = 3;
/** One JSON message, inflated, bytes. It has to be parsed whole; collections and media never pass this way. */
export const jsonBytesMax = 64 * MiB;
/** A `hostKey` message, compressed or not, bytes: the only one that strangers can send. */
export const loginBytesMax = 64 * KiB;
/** Largest zstd window that is accepted, as a power of two: 8 MiB, what level 19 of the zstd tools makes. */
export const zstdWindowLogMax = 23;
/** Deepest nesting of JSON that Anki's own parser reads (serde_json), counted from the outermost bracket. */
export const jsonDepthMax = 127;

/** Objects in one portion of a chunk before `done` is tested again. A whole chunk of the official server and all clients. */
export const chunkObjectsMax = 250;
/**
 * Portions in one chunk. Phones hold a chunk several times over while they read it; 2,000 objects are less than the 2,500
 * that early releases of AnkiDroid sent at once.
 */
export const chunkPortionsMax = 8;
/** A chunk gets no further portion when it holds this many bytes for each that it may have: 512 KiB at most. */
export const chunkPortionBytes = 64 * KiB;

/** Entries of one upload zip, and names in one `downloadFiles`. Same as the official server. */
export const mediaFilesPerRequestMax = 25;
/** Soft size of a media zip, bytes of content: the file that passes it is the last one. Same as the official server. */
export const mediaZipSoftBytesMax = 2.5 * MiB;
/** One media file, bytes. Same as the official server. */
export const mediaFileBytesMax = 100 * MiB;
/** A media file name, UTF-8 bytes. Same as the official server. */
export const mediaNameBytesMax = 255;
/** `_meta` of an upload zip, bytes. Same as the official server. */
export const mediaMetaBytesMax = 50 * KiB;
/** Records in one `mediaChanges` answer. Same as the official server. */
export const mediaChangesMax = 1000;

/** Entries of an upload zip, named by `_meta` or not. No client sends more than 26. */
export const zipEntriesMax = 128;
/** All content of one upload zip, bytes. Clients stop after 2.5 MiB and one more file, which is 102.5 MiB at most. */
export const zipContentBytesMax = 300 * MiB;
/** A zip up to so many bytes of content is made in memory. Above the soft limit of a zip, as most answers are near it. */
export const zipInMemoryBytesMax = 4 * MiB;

/** A sync that sends nothing for this long is rolled back, milliseconds. Clients give up after 30 to 60 s of silence. */
export const sessionIdleMsMax = 5 * 60 * 1000;
/** A request body that stops moving for this long is cut off, milliseconds. */
export const stalledBodyMsMax = 60 * 1000;
/** A stop signal gives running requests this long, milliseconds. */
export const shutdownMsMax = 5 * 1000;
