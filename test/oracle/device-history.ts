import type { Decision, Passing } from '../support/cutting-proxy.ts';
import type { SyncResult } from '../support/device.ts';
import type { Random } from '../support/random.ts';
import { planChange } from './device-changes.ts';
import { deviceOf, type Ending, type TwinWorlds, type World } from './twin-worlds.ts';

const dayMs = 86_400_000;
/** `meta` and `start`: before the third message of a device another one's sync cannot overtake it in a known way. */
const messagesUntilStarted = 2;
/** A normal sync has seven messages or more. */
const messagesCutMax = 8;

/**
 * A random history of several devices: each step happens in both worlds at the same moment, and must end alike. Afterwards
 * all devices sync until nothing is left to do, and a new one downloads everything.
 */
export class DeviceHistory {
  /** What was done, for the message of a failed test. */
  readonly past: string[] = [];
  readonly #random: Random;
  readonly #twins: TwinWorlds;

  constructor(random: Random, twins: TwinWorlds) {
    this.#random = random;
    this.#twins = twins;
  }

  async run(steps: number): Promise<void> {
    await this.#begin();
    for (let left = steps; left > 0; left--) await this.#step();
    await this.#settle();
  }

  /** All devices get the same collection: that of the account, or else that of the first device. */
  async #begin(): Promise<void> {
    for (let number = 0; number < this.#deviceCount; number++) {
      this.#pass(1000);
      await this.#change(number);
      await this.#sync(number, 'download');
    }
  }

  async #step(): Promise<void> {
    const number = this.#random.integer(0, this.#deviceCount - 1);
    this.#pass(this.#random.pick([300, 1200, 5000, 60_000]));
    switch (this.#random.weighted({ change: 20, sync: 7, cut: 1, crash: 0.5, overtake: 1, nextDay: 1 })) {
      case 'change':
        return this.#change(number);
      case 'sync':
        await this.#sync(number);
        return;
      case 'cut':
        return this.#cutSync(number, 'cut');
      case 'crash':
        return this.#cutSync(number, 'crash');
      case 'overtake':
        return this.#overtake(number);
      case 'nextDay':
        return this.#pass(dayMs * this.#random.integer(1, 3));
    }
  }

  async #change(number: number): Promise<void> {
    const [name, change] = await planChange(this.#random, this.#twins.device(number));
    await this.#both(`device ${number}: ${name}`, (world) => change(deviceOf(world, number)));
  }

  /** One press of the button, and what the client asks for after it. */
  async #sync(number: number, direction = this.#random.pick(['upload', 'download'] as const)): Promise<string> {
    const media = this.#random.chance(0.5);
    const ending = await this.#both(`device ${number}: sync${media ? ' with media' : ''}`, (world) => {
      world.proxies[number]?.watch(() => 'pass');
      return deviceOf(world, number).sync({ media });
    });
    this.#twins.compareMessages(number);
    if ('error' in ending) return ending.error;
    await this.#syncFully(number, ending.result, direction);
    await this.#twins.compareState(number);
    return ending.result.outcome;
  }

  async #syncFully(number: number, { outcome, mediaUsn }: SyncResult, direction: 'upload' | 'download'): Promise<void> {
    if (outcome === 'normal' || outcome === 'no changes') return;
    const wanted = { full: direction, 'upload only': 'upload', 'download only': 'download' } as const;
    const options = mediaUsn === null ? {} : { mediaUsn };
    this.#pass(700);
    await this.#both(`device ${number}: ${wanted[outcome]}`, (world) =>
      deviceOf(world, number)[wanted[outcome]](options),
    );
  }

  /** A sync that loses its connection, or its client, at some message; the client comes back. */
  async #cutSync(number: number, how: 'cut' | 'crash'): Promise<void> {
    const place = {
      number: this.#random.integer(1, messagesCutMax),
      moment: this.#random.pick(['before', 'after'] as const),
    };
    await this.#both(`device ${number}: ${how} ${place.moment} message ${place.number}`, async (world) => {
      const device = deviceOf(world, number);
      world.proxies[number]?.watch(async (passing): Promise<Decision> => {
        if (!isAt(passing, place)) return 'pass';
        if (how === 'crash') await device.kill();
        return 'cut';
      });
      return device.sync();
    });
    this.#twins.compareMessages(number);
    // Without having been reached, the crash comes after the sync.
    if (how === 'crash') await this.#both(`device ${number}: restart`, (world) => crashAndRestart(world, number));
    await this.#twins.compareState(number);
  }

  /** While one device syncs, another one does: the one that came first is told so. */
  async #overtake(number: number): Promise<void> {
    const other = (number + 1) % this.#deviceCount;
    // In step with the server and with something to send, it is sure to start a sync of its own; `meta` alone ends the
    // other one's sync only at the official server.
    await this.#sync(other);
    this.#pass(1);
    await this.#both(`device ${other}: setConfig`, (world) =>
      deviceOf(world, other).setConfig('overtaking', this.past.length),
    );
    this.#pass(1500);
    const place = { number: messagesUntilStarted + this.#random.integer(1, 5), moment: 'before' } as const;
    await this.#both(`device ${number}: overtaken by ${other} before message ${place.number}`, async (world) => {
      world.proxies[other]?.watch(() => 'pass');
      let overtaking: unknown;
      world.proxies[number]?.watch(async (passing): Promise<Decision> => {
        if (isAt(passing, place)) overtaking = (await deviceOf(world, other).sync()).outcome;
        return 'pass';
      });
      const own = await deviceOf(world, number)
        .sync()
        .then(
          ({ outcome }) => outcome,
          (error) => error.kind,
        );
      return { own, overtaking };
    });
    for (const device of [number, other]) {
      this.#twins.compareMessages(device);
      await this.#twins.compareState(device);
    }
  }

  /** Everything reaches everybody; then a new device sees the same and finds nothing wrong. */
  async #settle(): Promise<void> {
    for (let round = 0; round < 3; round++) {
      for (let number = 0; number < this.#deviceCount; number++) {
        this.#pass(2000);
        await this.#sync(number, 'download');
      }
    }
    this.#pass(2000);
    const fresh = await this.#twins.addDevice();
    await this.#sync(fresh, 'download');
    await this.#both('the new device: media', (world) => deviceOf(world, fresh).syncMedia());
    await this.#twins.compareState(fresh);
    await this.#both('the new device: Check Database', (world) => deviceOf(world, fresh).checkDatabase());
  }

  get #deviceCount(): number {
    return this.#twins.worlds[0].devices.length;
  }

  #pass(ms: number): void {
    this.#twins.clock.advance(ms);
  }

  async #both<Result>(what: string, act: (world: World) => Promise<Result>): Promise<Ending<Result>> {
    this.past.push(what);
    const ending = await this.#twins.both(what, act);
    this.past.push(`${this.past.pop()} → ${JSON.stringify(ending)?.slice(0, 100)}`);
    return ending;
  }
}

function isAt(passing: Passing, place: Pick<Passing, 'number' | 'moment'>): boolean {
  return passing.number === place.number && passing.moment === place.moment;
}

async function crashAndRestart(world: World, number: number): Promise<void> {
  await deviceOf(world, number).kill();
  await deviceOf(world, number).restart();
}
