import type { StopSign } from '../storage/stoppable-copy.ts';
import type { UserFolder } from '../user-folder.ts';
import { SerialQueue } from './serial-queue.ts';

/** What happens to one user's files, in turn. */
export interface Lane {
  readonly collection: SerialQueue;
  readonly media: SerialQueue;
  /** Copies that are made of the standing file; an upload stops them. */
  readonly copies: Set<StopSign>;
  /** The last check of the stored collection found damage. */
  isSuspect: boolean;
}

/** The lanes of all users who were here, made when they are needed. */
export class UserLanes {
  readonly #lanes = new Map<string, Lane>();

  of({ user }: UserFolder): Lane {
    const known = this.#lanes.get(user);
    if (known !== undefined) return known;
    const lane: Lane = {
      collection: new SerialQueue(),
      media: new SerialQueue(),
      copies: new Set(),
      isSuspect: false,
    };
    this.#lanes.set(user, lane);
    return lane;
  }

  all(): Lane[] {
    return [...this.#lanes.values()];
  }
}
