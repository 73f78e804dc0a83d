import { setTimeout as delay } from 'node:timers/promises';

/** One request whose sender is known, from its header to the end of its answer. */
export class RunningRequest implements Disposable {
  readonly hostKey: string;
  readonly #cut: () => void;
  readonly #onEnd: (request: RunningRequest) => void;
  #movesBytes = true;
  #isUnwelcome = false;
  /** Made when somebody waits for the end. */
  #ended: PromiseWithResolvers<void> | undefined;

  constructor(hostKey: string, cut: () => void, onEnd: (request: RunningRequest) => void) {
    this.hostKey = hostKey;
    this.#cut = cut;
    this.#onEnd = onEnd;
  }

  /** Settles when the request is over. Only to be asked for while it is not. */
  get ended(): Promise<void> {
    this.#ended ??= Promise.withResolvers();
    return this.#ended.promise;
  }

  /** Is its body arriving, or its answer leaving? In between it waits in a lane, where it is refused in words. */
  set movesBytes(value: boolean) {
    this.#movesBytes = value;
    if (value && this.#isUnwelcome) this.#cut();
  }

  /** Its sender may sync no more. */
  endAccess(): void {
    this.#isUnwelcome = true;
    if (this.#movesBytes) this.#cut();
  }

  [Symbol.dispose](): void {
    this.#onEnd(this);
    this.#ended?.resolve();
  }
}

/** The requests of each user that are being answered, so that access can end in the middle of a transfer. */
export class RunningRequests {
  readonly #byUser = new Map<string, Set<RunningRequest>>();

  /** `cut` ends the connection. Dispose of the result when the request is over. */
  begin({ user, hostKey, cut }: { user: string; hostKey: string; cut: () => void }): RunningRequest {
    const requests = this.#byUser.get(user) ?? new Set();
    const request = new RunningRequest(hostKey, cut, () => {
      requests.delete(request);
      if (requests.size === 0 && this.#byUser.get(user) === requests) this.#byUser.delete(user);
    });
    this.#byUser.set(user, requests.add(request));
    return request;
  }

  /** Ends the transfers of a user's requests whose key is wanted no more. */
  endAccess(user: string, isUnwelcome: (hostKey: string) => boolean): void {
    for (const request of this.#byUser.get(user) ?? []) if (isUnwelcome(request.hostKey)) request.endAccess();
  }

  /** Waits until no request of a user runs; false when some still do after `waitMs`. */
  async idle(user: string, waitMs: number): Promise<boolean> {
    const ended = Promise.all([...(this.#byUser.get(user) ?? [])].map((request) => request.ended));
    return Promise.race([ended.then(() => true), delay(waitMs, false, { ref: false })]);
  }
}
