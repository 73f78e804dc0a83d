import path from 'node:path';
import { getAsset } from 'node:sea';
import type { WorkerScript } from '../../src/worker/worker-script.ts';

/** In a single executable: the code of a thread is a text within. Takes the place of `src/worker/worker-script.ts`. */
export function workerScript(source: URL): WorkerScript {
  const name = path.basename(source.pathname, '.ts');
  return { name, script: getAsset(`${name}.js`, 'utf8'), options: { eval: true, execArgv: ['--input-type=module'] } };
}
