/** What a message did, for log and metrics. It travels beside the answer and is never sent to the client. */
export interface Report {
  /** Why the client does not get what it asked for although the status is 200, in words. */
  readonly refusal?: string;
  /** The whole collection that was stored or is being sent. */
  readonly collection?: MovedCollection;
  readonly media?: MovedMedia;
}

/** Rows of the big tables, and the length of the file. */
export interface MovedCollection {
  readonly notes: number;
  readonly cards: number;
  readonly reviews: number;
  readonly bytes: number;
}

/** What one media message moved. Bytes are those of the files' content. */
export interface MovedMedia {
  /** Files of the client that were stored because they are new or differ. */
  readonly filesSent: number;
  readonly bytesSent: number;
  /** Files that are gone because the client deleted them. */
  readonly filesDeleted: number;
  /** Files that the client was given. */
  readonly filesGot: number;
  readonly bytesGot: number;
  /** The message ends a media sync; do both sides have the same number of files? */
  readonly isOver?: 'equal' | 'different';
}

export const nothingMoved: MovedMedia = { filesSent: 0, bytesSent: 0, filesDeleted: 0, filesGot: 0, bytesGot: 0 };
