import { setTimeout as sleep } from 'node:timers/promises';
import { SIZES } from '../data/collections.ts';
import { Bystander, metaKind } from '../load/bystander.ts';
import { quantile } from '../load/statistics.ts';
import { WrongAnswerError } from '../load/sync-client.ts';
import type { ServerProcess } from '../servers/server-process.ts';
import { megabyte, type Scenario, type World } from '../world.ts';
import { withSame } from './prepare.ts';

const startMax = { valueMax: 500 };
/** After a start the server is left alone so long before its memory is read, milliseconds. */
const settleMs = 1_500;

export const start: Scenario = {
  name: 'start',
  title: 'from the start of the process to the first answer, and idle memory',
  async run(world) {
    const { startUsers, startPlainUsers } = world.amounts;
    for (const [passwords, counts] of [
      ['hashed', startUsers],
      ['plain', startPlainUsers],
    ] as const) {
      for (const users of counts) {
        await using server = await world.start({ users, passwords });
        const client = await world.client(server, users - 1);
        const who = `${users.toLocaleString('en')} ${users === 1 ? 'user' : 'users'}${passwords === 'plain' ? ' with plain passwords' : ''}`;
        world.note(`Start with ${who}`, 'time', 'ms', server.startMs, startMax);
        await sleep(settleMs);
        const target = users === 1 ? { valueMax: 90 } : undefined;
        world.note(`Start with ${who}`, 'memory when idle', 'MB', server.cost().residentBytes / megabyte, target);
        await client.meta(); // It is this server, and it works.
        client.close();
      }
    }
  },
};

export const login: Scenario = {
  name: 'login',
  title: 'logins, one and eight at once; wrong passwords while others sync',
  async run(world) {
    const { logins, bystandMs } = world.amounts;
    const tiny = await world.collection(SIZES.tiny);
    await using server = await world.start({ users: 10, passwords: 'hashed', prepare: withSame(tiny) });
    await loginAll(world, server, [0]);
    const one = await world.cost(server, () => loginAll(world, server, [1]));
    world.note('Login', 'time', 'ms', one.wallMs);
    const users = Array.from({ length: logins }, (_, at) => at);
    const all = await world.cost(server, () => loginAll(world, server, users));
    world.note(`${logins} logins at once`, 'time', 'ms', all.wallMs, { ratioMax: 0.6 });
    world.note(`${logins} logins at once`, 'processor time', 'ms', all.cpuMs);
    await wrongPasswords(world, server, bystandMs);
  },
};

async function loginAll(world: World, server: ServerProcess, users: readonly number[]): Promise<void> {
  await Promise.all(
    users.map(async (user) => {
      const client = await world.client(server, user);
      const { name, password } = server.account(user);
      const status = await client.login(name, password);
      if (status !== 200) throw new WrongAnswerError(`A login was answered ${status}`);
      client.close();
    }),
  );
}

/** Four wrong passwords at a time, again and again, while another user asks for the status. */
async function wrongPasswords(world: World, server: ServerProcess, durationMs: number): Promise<void> {
  const tiny = await world.collection(SIZES.tiny);
  const { port } = server;
  const { hostKey } = server.account(9);
  const order = { port, hostKey, kind: metaKind, facts: tiny.facts, pauseMs: 3 } as const;
  const bystander = await Bystander.start(order);
  const endsMs = performance.now() + durationMs;
  await Promise.all(
    [0, 1, 2, 3].map(async (user) => {
      const client = await world.client(server, user);
      while (performance.now() < endsMs) {
        const status = await client.login(server.account(user).name, 'not the password');
        // A server may also ask a guesser to wait; what it must not do is let one in.
        if (status !== 403 && status !== 429) throw new WrongAnswerError(`A wrong password was answered ${status}`);
        if (status === 429) await sleep(50);
      }
      client.close();
    }),
  );
  const delaysMs = await bystander.end();
  const work = "Another user's `meta` during four wrong passwords at a time";
  world.note(work, 'p99', 'ms', quantile(delaysMs, 0.99), { valueMax: 10 });
  world.note(work, 'longest', 'ms', Math.max(...delaysMs));
}

export const memory: Scenario = {
  name: 'memory',
  title: 'memory when idle, after serving many users once, and with many known users',
  async run(world) {
    const { servedUsers, restMs } = world.amounts;
    const tiny = await world.collection(SIZES.tiny);
    await using server = await world.start({ users: servedUsers, prepare: withSame(tiny) });
    await sleep(settleMs);
    const idle = server.cost().residentBytes;
    server.forgetPeak();
    for (let user = 0; user < servedUsers; user++) {
      const device = await world.device(server, user, tiny);
      await device.sync();
      device.client.close();
    }
    const served = server.cost();
    await sleep(restMs);
    const rested = server.cost().residentBytes;
    const work = `Memory after serving ${servedUsers} users once`;
    world.note(work, 'right after', 'MB', served.residentBytes / megabyte, { valueMax: 150, ratioMax: 0.4 });
    world.note(work, 'peak', 'MB', served.peakBytes / megabyte);
    world.note(work, 'over idle, after a rest', 'MB', Math.max(0, rested - idle) / megabyte, { valueMax: 40 });
  },
};
