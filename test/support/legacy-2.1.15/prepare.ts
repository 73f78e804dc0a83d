import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The packages fit this Python only, so the one of the machine is used and not one that a user installed beside it. */
const debianPython = '/usr/bin/python3';

/**
 * Unpacks Anki 2.1.15 from Debian's archive into `folder`, unless it is there. Takes about five seconds.
 *
 * @returns the Python to run it with, and the folder that the driver puts into its module path.
 */
export async function prepareDebianClient(folder: string): Promise<{ python: string; library: string }> {
  const marker = path.join(folder, 'ready.json');
  if (!existsSync(marker)) {
    if (!existsSync(debianPython) || !existsSync('/var/lib/dpkg/status')) throw new Error('this is not Debian');
    const temp = `${folder}.${process.pid}.tmp`;
    try {
      await mkdir(path.dirname(folder), { recursive: true });
      await run('bash', [path.join(import.meta.dirname, 'setup.sh'), temp], { timeout: 3 * 60 * 1000 });
      const folders = modulePath(temp).join(':');
      await run(debianPython, ['-c', 'import anki, anki.sync'], { env: { ...process.env, PYTHONPATH: folders } });
      await writeFile(path.join(temp, 'ready.json'), '{"anki":"2.1.15"}\n');
      if (!existsSync(marker)) {
        await rm(folder, { recursive: true, force: true });
        await rename(temp, folder);
      }
    } finally {
      await rm(temp, { recursive: true, force: true });
    }
  }
  return { python: debianPython, library: modulePath(folder).join(':') };
}

/** Where Debian's packages keep Python modules, below the folder that they were unpacked into. */
function modulePath(folder: string): readonly string[] {
  return [path.join(folder, 'anki/usr/share/anki'), path.join(folder, 'needs/usr/lib/python3/dist-packages')];
}
