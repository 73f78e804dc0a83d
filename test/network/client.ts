import type { TestContext } from 'node:test';
import type { ClientVersion } from '../support/clients.ts';
import { preparePythonEnv } from '../support/python-envs.ts';

/** Can this client be run here? Skips the test out loud when not; with `CI=true` that is a failure. */
export async function canRun(version: ClientVersion, context: TestContext): Promise<boolean> {
  const client = await preparePythonEnv(version);
  if (client.kind === 'missing') context.skip(`Anki ${version} ${client.reason}`);
  return client.kind === 'ready';
}
