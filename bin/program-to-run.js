// In a package the compiled program lies in `dist`. A checkout compiles itself when its source has changed, because the
// compiled program starts in half the time and needs three quarters of the memory; where that cannot be, Node runs the
// source. Plain JavaScript, so that Node need not load what strips types.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Compiled programs that stay: a server that still runs from an older one reads its threads' code when they start. */
const programsKept = 8;
/** What is younger stays as well, milliseconds: it may belong to a start that goes on beside this one. */
const youngMsMax = 3_600_000;

/** The main file of the program, as a URL. `root`: folder of the package or checkout, with a slash at its end. */
export function programToRun(root) {
  const source = new URL('src/main.ts', root);
  if (!existsSync(source)) return new URL('dist/main.js', root);
  const folder = fileURLToPath(root);
  const compiled = path.join(folder, '.cache/program', fingerprint(folder));
  const main = path.join(compiled, 'main.js');
  if (!existsSync(main) && !compile(folder, compiled)) return source;
  markAsUsed(compiled);
  return pathToFileURL(main);
}

/** Changes when a file that goes into the program has changed: names, sizes and times are enough to know. */
function fingerprint(folder) {
  const hash = createHash('sha256');
  const take = (file) => {
    const stats = statSync(path.join(folder, file), { throwIfNoEntry: false });
    hash.update(`${file} ${stats?.size} ${stats?.mtimeMs}\n`);
  };
  const sources = readdirSync(path.join(folder, 'src'), { recursive: true }).filter((file) => file.endsWith('.ts'));
  for (const file of sources.sort()) take(path.join('src', file));
  for (const file of ['package.json', 'package-lock.json', 'scripts/build/bundle.ts']) take(file);
  return hash.digest('hex').slice(0, 16);
}

/** In a process of its own, whose memory the server then does not keep. Returns whether it worked. */
function compile(folder, target) {
  // Not imported above, because the server need not hold it.
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const script = path.join(folder, 'scripts/build.ts');
  const { status, stderr } = spawnSync(process.execPath, [script, 'checkout', target], { encoding: 'utf8' });
  if (status === 0) return true;
  const reason = stderr?.match(/^\w*Error\b.*/m)?.[0] ?? `status ${status}`;
  console.error(`Running from the source, which takes more memory, because it cannot be compiled: ${reason}`);
  return false;
}

function markAsUsed(compiled) {
  const now = new Date();
  try {
    utimesSync(compiled, now, now);
    const all = path.dirname(compiled);
    const byAge = readdirSync(all)
      .map((name) => ({ folder: path.join(all, name), usedMs: statSync(path.join(all, name)).mtimeMs }))
      .sort((a, b) => b.usedMs - a.usedMs);
    const old = byAge.slice(programsKept).filter(({ usedMs }) => usedMs < now.getTime() - youngMsMax);
    for (const { folder } of old) rmSync(folder, { recursive: true, force: true });
  } catch {
    // The folder belongs to somebody else, who will tidy up; or another start has just done so.
  }
}
