// Loaded into the server and its threads by `--import`: a thread for collections stops for as long as a file is there,
// as it would on a disk that does not answer.
import { existsSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const pause = new Int32Array(new SharedArrayBuffer(4));
if (!isMainThread) {
  setInterval(() => {
    while (existsSync(process.env.TEST_STUCK_FILE ?? '')) Atomics.wait(pause, 0, 0, 50);
  }, 20).unref();
}
