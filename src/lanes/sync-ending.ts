import { SyncError } from '../errors.ts';
import type { Message } from '../protocol/message.ts';
import type { UserFolder } from '../user-folder.ts';
import type { WorkerPool } from '../worker/worker-pool.ts';
import { CareProblem } from './care-calls.ts';
import type { LaneAccess, Safekeeping } from './safekeeping.ts';

/** Throws the refusal of a message that was let in a while ago and may not be answered any more. */
export type Admission = (message: Pick<Message, 'hostKey' | 'folder'>) => void;

/** What is needed to end the access of somebody who is syncing. */
export interface SyncEnding {
  /**
   * Rolls the user's running sync back if its device may sync no more. When it resolves, no message is being answered that
   * the admission would refuse.
   */
  endUnwelcomeSync(folder: UserFolder): Promise<void>;
  /**
   * Runs work on a user's folder when no file in it is open. A running sync is rolled back. `beforehand` runs when nothing
   * is being packed any more, which may take a while, and before the lanes are waited for.
   */
  whileClosed<Result>(folder: UserFolder, work: () => Result, beforehand?: () => Promise<void>): Promise<Result>;
}

export interface LaneEndingOptions {
  readonly lanes: LaneAccess;
  readonly pool: WorkerPool;
  readonly safekeeping: Safekeeping;
  readonly admission: Admission;
}

/** Ends syncs in their lanes, between two messages. */
export class LaneEnding implements SyncEnding {
  readonly #lanes: LaneAccess;
  readonly #pool: WorkerPool;
  readonly #safekeeping: Safekeeping;
  readonly #admission: Admission;
  /** By user, who began the last sync. */
  readonly #starters = new Map<string, Pick<Message, 'hostKey' | 'folder'>>();

  constructor({ lanes, pool, safekeeping, admission }: LaneEndingOptions) {
    this.#lanes = lanes;
    this.#pool = pool;
    this.#safekeeping = safekeeping;
    this.#admission = admission;
  }

  /** Asks again, in the lane: the access may have ended since the message came. */
  admit(message: Message): void {
    this.#admission(message);
  }

  /** A sync has begun. */
  started({ hostKey, folder }: Message): void {
    this.#starters.set(folder.user, { hostKey, folder });
  }

  async endUnwelcomeSync(folder: UserFolder): Promise<void> {
    await this.#lanes.inCollectionLane(folder, async () => {
      const starter = this.#starters.get(folder.user);
      if (starter === undefined || this.#isWelcome(starter)) return;
      this.#starters.delete(folder.user);
      await this.#pool.threadOf(folder.user).call('endSync', folder);
    });
    await this.#lanes.inMediaLane(folder, async () => {});
  }

  whileClosed<Result>(folder: UserFolder, work: () => Result, beforehand = async () => {}): Promise<Result> {
    return this.#safekeeping.inTurn(async () => {
      await beforehand();
      return this.#lanes.inCollectionLane(folder, async () => {
        await this.#closeCollection(folder);
        this.#starters.delete(folder.user);
        return this.#lanes.inMediaLane(folder, async () => {
          await this.#pool.threadOf(folder.user).call('closeMedia', folder);
          this.#safekeeping.forget(folder);
          return work();
        });
      });
    });
  }

  async #closeCollection(folder: UserFolder): Promise<void> {
    try {
      await this.#lanes.closeInLane(folder);
    } catch (error) {
      if (!(error instanceof SyncError)) throw error;
      throw new CareProblem(`A device of ${JSON.stringify(folder.user)} is downloading. Try again in a minute.`);
    }
  }

  #isWelcome(starter: Pick<Message, 'hostKey' | 'folder'>): boolean {
    try {
      this.#admission(starter);
      return true;
    } catch (error) {
      if (error instanceof SyncError) return false;
      throw error;
    }
  }
}
