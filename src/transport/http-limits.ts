import { KiB, MiB } from '../limits.ts';

/** The `anki-sync` header, characters. Real ones have about 120. */
export const syncHeaderCharsMax = 4 * KiB;
/** All headers of a request, bytes: room to refuse a swollen `anki-sync` header with the right status. */
export const headersBytesMax = 64 * KiB;
/** Headers that do not arrive within this time close the connection, milliseconds. */
export const headersMsMax = 60 * 1000;
/** An idle connection is kept this long, milliseconds: longer than the 60 s of usual reverse proxies, which may else meet a closed one. */
export const keepAliveMsMax = 75 * 1000;
/** What is read of a body whose sender gave an unknown host key, bytes: enough to tell nonsense from a message. */
export const strangerBytesMax = 64 * KiB;
/** How far that is inflated to see whether it can be, bytes. */
export const strangerInflatedBytesMax = 1 * MiB;
/** A TLS connection has to be agreed upon within this time, milliseconds. */
export const tlsHandshakeMsMax = 30 * 1000;
/** After a refusal the rest of the body is read and dropped this long, milliseconds, so that the sender sees the answer. */
export const lingerMsMax = 30 * 1000;
/** Headroom of a compressed body over what it may inflate to, bytes: zstd adds a little to what it cannot compress. */
export const compressionOverheadBytesMax = 1 * MiB;

/** Parts of one form. Clients send at most five. */
export const formPartsMax = 20;
/** One text field of a form, bytes. */
export const formFieldBytesMax = 4 * KiB;
/** Headers of one part, bytes. */
export const formPartHeaderBytesMax = 4 * KiB;
/** Header lines of one part. */
export const formPartHeaderLinesMax = 10;
/** A payload of a form stays in memory up to this many bytes and goes to a file beyond. */
export const spoolMemoryBytesMax = 256 * KiB;
/** All spool files whose senders have not said who they are, as a multiple of the largest payload. */
export const strangerSpoolsMax = 4;

/** Pieces in which files are read, compressed and sent, bytes: each costs trips to other threads. Four times faster than 16 KiB. */
export const streamPieceBytes = 512 * KiB;
/** So much of a file is compressed ahead of what the client takes, bytes. All of a common collection while it is checked. */
export const compressedAheadBytesMax = 8 * MiB;
/** So many downloads at a time have that much; all further ones a piece. */
export const aheadPlacesMax = 4;
/** An answer up to this size is compressed at once, bytes; a larger one in the thread pool. */
export const compressAtOnceBytesMax = 32 * KiB;

/** An answer up to this size is copied to leave together with its head, bytes. */
export const onePieceBytesMax = 4 * KiB;

/** An answer that takes this long to be made is told as a warning, milliseconds: clients give up after 30 to 60 s. */
export const slowAnswerMsMin = 10 * 1000;
