import assert from 'node:assert/strict';
import { differences } from '../exchanges/differences.ts';
import { newestClient } from '../support/clients.ts';
import type { Clock } from '../support/clock/clock.ts';
import { CuttingProxy } from '../support/cutting-proxy.ts';
import type { Device, DeviceState, SyncResult } from '../support/device.ts';
import { DeviceError } from '../support/device-process.ts';
import { type Server, type ServerKind, startServer } from '../support/server.ts';

/** A server and devices of one account, each behind a proxy of its own. */
export interface World {
  readonly server: Server;
  readonly user: string;
  readonly devices: Device[];
  readonly proxies: CuttingProxy[];
}

/** How a step ended: its result, or the kind of error that the user would see. */
export type Ending<Result> = { readonly result: Result } | { readonly error: string };

/** The numbers of fields and templates are made by chance when they are made. */
const madeByChance = /^notetypes\/\d+\/(?:flds|tmpls)\/\d+\/id$/;

/**
 * Two worlds with the same devices, of which one syncs with the official server and the other with the server under test.
 * Everything happens in both at the same frozen moment; whatever can be seen has to be equal.
 */
export class TwinWorlds implements AsyncDisposable {
  readonly clock: Clock;
  readonly worlds: readonly [oracle: World, subject: World];
  readonly #cleanup: AsyncDisposableStack;

  static async start(
    clock: Clock,
    servers: readonly [Server, Server],
    user: string,
    devices: number,
  ): Promise<TwinWorlds> {
    await using cleanup = new AsyncDisposableStack();
    const makeWorld = async (server: Server): Promise<World> => {
      const world: World = { server, user, devices: [], proxies: [] };
      for (let number = 0; number < devices; number++) await addDevice(world, cleanup);
      return world;
    };
    const worlds = [await makeWorld(servers[0]), await makeWorld(servers[1])] as const;
    return new TwinWorlds(clock, worlds, cleanup.move());
  }

  private constructor(clock: Clock, worlds: readonly [World, World], cleanup: AsyncDisposableStack) {
    this.clock = clock;
    this.worlds = worlds;
    this.#cleanup = cleanup;
  }

  /** One more device in each world; returns its number. */
  async addDevice(): Promise<number> {
    for (const world of this.worlds) await addDevice(world, this.#cleanup);
    return this.worlds[0].devices.length - 1;
  }

  /** The device of the oracle's world, for looking around. */
  device(number: number): Device {
    return deviceOf(this.worlds[0], number);
  }

  /** Does the same in both worlds at the same time, and makes sure that it ends in the same way. */
  async both<Result>(what: string, act: (world: World) => Promise<Result>): Promise<Ending<Result>> {
    const [expected, actual] = await Promise.all(this.worlds.map((world) => ending(act(world))));
    if (expected === undefined || actual === undefined) throw new Error('two worlds');
    const found = differences(actual, expected);
    assert.deepEqual(found, [], `${what} ends differently`);
    return expected;
  }

  /** The same devices hold the same in both worlds. */
  async compareState(number: number): Promise<void> {
    const states = await Promise.all(this.worlds.map((world) => deviceOf(world, number).state()));
    const [expected, actual] = states.map(withoutChance);
    assert.deepEqual(differences(actual, expected), [], `device ${number} holds something else`);
  }

  /** The last attempts to sync sent the same messages. */
  compareMessages(number: number): void {
    const [expected, actual] = this.worlds.map((world) => world.proxies[number]?.passed);
    assert.deepEqual(actual, expected, `device ${number} sends other messages`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup[Symbol.asyncDispose]();
  }
}

/** The device with this number. */
export function deviceOf(world: World, number: number): Device {
  const device = world.devices[number];
  if (device === undefined) throw new Error(`no device ${number}`);
  return device;
}

/** A server with the given accounts under the clock. */
export function startUnderClock(clock: Clock, kind: ServerKind, users: readonly string[]): Promise<Server> {
  return startServer({ kind, users, env: clock.environment });
}

/** What a press of the sync button showed; the number for the media that follow a full sync is kept. */
export async function pressSync(world: World, number: number, media: boolean): Promise<SyncResult> {
  world.proxies[number]?.watch(() => 'pass');
  return deviceOf(world, number).sync({ media });
}

async function addDevice(world: World, cleanup: AsyncDisposableStack): Promise<void> {
  const device = cleanup.use(await world.server.device({ version: newestClient, user: world.user }));
  const proxy = cleanup.use(await CuttingProxy.start(world.server));
  await device.connect(proxy.url);
  world.devices.push(device);
  world.proxies.push(proxy);
}

async function ending<Result>(run: Promise<Result>): Promise<Ending<Result>> {
  try {
    return { result: await run };
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    // The text names addresses and ports.
    return { error: error.kind === 'other' ? error.message : error.kind };
  }
}

function withoutChance(state: DeviceState): unknown {
  const facts = [...state.facts].filter(([path]) => !madeByChance.test(path));
  return { facts: Object.fromEntries(facts), unsent: state.unsent };
}
