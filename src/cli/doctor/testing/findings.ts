import assert from 'node:assert/strict';
import type { Finding } from '../finding.ts';

/** Is there a finding like this? */
export function has(findings: readonly Finding[], severity: string, text: RegExp, remedy = /^/): void {
  const found = findings.some(
    (each) => each.severity === severity && text.test(each.text) && remedy.test(each.remedy ?? ''),
  );
  assert.ok(found, `no ${severity} ${text} in ${JSON.stringify(findings)}`);
}

/** Was something looked at, and nothing found? */
export function isFine(findings: readonly Finding[]): void {
  assert.deepEqual(
    findings.filter(({ severity }) => severity !== 'ok'),
    [],
  );
  assert.ok(findings.length > 0);
}
