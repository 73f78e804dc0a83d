import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { bundleToRun, takingOnlyWhatIsUsed } from '../../scripts/build/bundle.ts';
import { childEnvironment } from '../support/environment.ts';
import { runToEnd } from './support/program.ts';

test('each form of import takes what it names, and nothing else changes', () => {
  const cases = {
    'import { a } from "node:fs";': 'const { a } = process.getBuiltinModule("node:fs");',
    'import { a as b, c, $d as e2 } from "node:fs/promises";':
      'const { a: b, c, $d: e2 } = process.getBuiltinModule("node:fs/promises");',
    'import fs from "node:fs";': 'const fs = process.getBuiltinModule("node:fs");',
    'import * as fs2 from "node:fs";': 'const fs2 = process.getBuiltinModule("node:fs");',
    'import fs, { a } from "node:fs";':
      'const fs = process.getBuiltinModule("node:fs"); const { a } = process.getBuiltinModule("node:fs");',
    'import {\n  a,\n  b as c\n} from "node:fs";': 'const {\n  a,\n  b: c\n} = process.getBuiltinModule("node:fs");',
  };
  for (const [before, after] of Object.entries(cases)) {
    assert.equal(takingOnlyWhatIsUsed(`x();\n${before}\ny();`), `x();\n${after}\ny();`);
  }
  for (const other of ['import { a } from "./chunk.js";', '  import { a } from "node:fs";', 'import "node:fs";']) {
    assert.equal(takingOnlyWhatIsUsed(other), other);
  }
});

test('the compiled program loads nothing of Node that only an import would load', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'bundle-'));
  try {
    await bundleToRun(folder);
    const loaded = `process.on('exit', () => console.log(process.moduleLoadList.join('\\n')))`;
    const watch = `data:text/javascript,${encodeURIComponent(loaded)}`;
    const args = ['--import', watch, path.join(folder, 'main.js'), '--version'];
    const output = await runToEnd(process.execPath, { args, env: childEnvironment({}) });
    assert.match(output, /^NativeModule http$/m);
    assert.doesNotMatch(output, /undici/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
