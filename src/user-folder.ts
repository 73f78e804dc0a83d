import path from 'node:path';

/** Where everything of one user lies. The first three are laid out as the official server does. */
export interface UserFolder {
  readonly user: string;
  /** `<SYNC_BASE>/<user>` */
  readonly root: string;
  /** Anki's own collection file, schema 18. */
  readonly collection: string;
  /** Media index, schema 4. */
  readonly mediaDb: string;
  /** Media files under their NFC names, flat. */
  readonly media: string;
  /** Bytes on their way in or out: never the only copy of anything acknowledged. Emptied at start-up. */
  readonly incoming: string;
}

/** The paths of a user; nothing is created. `user` is a checked name without separators. */
export function userFolder(base: string, user: string): UserFolder {
  const root = path.join(base, user);
  return {
    user,
    root,
    collection: path.join(root, 'collection.anki2'),
    mediaDb: path.join(root, 'media.db'),
    media: path.join(root, 'media'),
    incoming: path.join(root, 'incoming'),
  };
}
