// Nothing here needs a new Node but the guard itself, which is why everything else is imported behind it.
// The oldest that all packages support, and that the tests run on.
const nodeMin = { major: 24, minor: 15 };

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < nodeMin.major || (major === nodeMin.major && minor < nodeMin.minor)) {
  console.error(
    `anki-sync-server needs Node ${nodeMin.major}.${nodeMin.minor} or later; this is ${process.version}. In a checkout start it by bin/anki-sync-server or npm start.`,
  );
  process.exit(1);
}

// Type stripping takes time and memory at every start; this folder remembers its result, if it can be written.
if (import.meta.url.endsWith('.ts')) {
  const { enableCompileCache } = await import('node:module');
  enableCompileCache(`${import.meta.dirname}/../.cache/compile`);
}

const { currentSurroundings } = await import('./config/config.ts');
const { runCommandLine } = await import('./cli/command-line.ts');
const { Lanes } = await import('./lanes/lanes.ts');

process.exitCode = await runCommandLine(
  process.argv.slice(2),
  currentSurroundings(),
  ({ config, accounts, log, tell }) => {
    const lanes = new Lanes({
      ...config,
      policy: config.keeping,
      log,
      tell,
      admission: (message) => accounts.admit(message),
    });
    lanes.safekeeping.watch(() => accounts.people().map(({ account }) => account.folder));
    return lanes;
  },
);
// A connection that a client keeps open must not keep the process alive.
process.exit();
