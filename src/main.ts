// Nothing here needs a new Node but the guard itself, which is why everything else is imported behind it.
const nodeMajorMin = 26;

if (Number.parseInt(process.versions.node, 10) < nodeMajorMin) {
  console.error(
    `anki-sync-server needs Node ${nodeMajorMin} or later; this is ${process.version}. Start it by bin/anki-sync-server or npm start.`,
  );
  process.exit(1);
}

// Type stripping takes time and memory at every start; this folder remembers its result, if it can be written.
const { enableCompileCache } = await import('node:module');
enableCompileCache(`${import.meta.dirname}/../.cache/compile`);

const { currentSurroundings } = await import('./config/config.ts');
const { runCommandLine } = await import('./cli/command-line.ts');
const { userFolder } = await import('./user-folder.ts');
const { Lanes } = await import('./accounts/lanes.ts');

process.exitCode = await runCommandLine(process.argv.slice(2), currentSurroundings(), ({ config, log }) => {
  const lanes = new Lanes({ ...config, policy: config.keeping, log });
  lanes.safekeeping.watch(config.users.map(({ name }) => userFolder(config.base, name)));
  return lanes;
});
// A connection that a client keeps open must not keep the process alive.
process.exit();
