import { parseArgs } from 'node:util';
import { type ConfigReading, type ConfigSurroundings, readConfig } from '../../config/config.ts';
import { messageOf } from '../../errors.ts';
import { MiB, payloadMegsDefault } from '../../limits.ts';
import { ownerAccess } from '../commands/with-owner.ts';
import { gatherBodies, gatherStreaming, judgeBodies, judgeStreaming } from './body-check.ts';
import { gatherClock, judgeClock } from './clock-check.ts';
import { type CollectionsFacts, gatherCollections, judgeCollections } from './collections-check.ts';
import type { Reply } from './exchange.ts';
import { type Finding, type Section, worstOf } from './finding.ts';
import { gatherFolder, judgeFolder } from './folder-check.ts';
import { gatherLimits, judgeLimits } from './limits-check.ts';
import { gatherMeddling, judgeMeddling } from './meddling-check.ts';
import { gatherMessage, isReached, judgeMessage } from './message-check.ts';
import { gatherPlainHttp, judgePlainHttp } from './plain-http-check.ts';
import { judgePublicAddress, readPublicAddress } from './public-address.ts';
import { gatherReach, judgeReach } from './reach-check.ts';
import { jsonReport, textReport } from './report.ts';
import { gatherServer, isServerRunning, judgeServer } from './server-check.ts';
import { judgeSettings } from './settings-check.ts';
import { gatherSlash, judgeSlash } from './slash-check.ts';
import { gatherTls, judgeTls } from './tls-check.ts';

/** For `--help`. */
export const doctorHelp = {
  synopsis: 'doctor [URL] [--json] [--only-outside]',
  meaning:
    'look for what keeps devices from syncing: settings, disk, clock, collections; and with the address that is typed into Anki the whole way from there to the server. Exit code 1 if anything is wrong',
} as const;

/** Runs all checks that can be run and prints what they found. Returns 1 when there is a problem. */
export async function doctorCommand(args: readonly string[], surroundings: ConfigSurroundings): Promise<0 | 1> {
  const wish = readWish(args);
  if (typeof wish === 'string') {
    console.error(`anki-sync-server: ${wish}`);
    return 1;
  }
  const reading = readConfig(surroundings);
  const outside = wish.url === undefined ? undefined : await lookFromOutside(wish.url, payloadBytesMax(reading));
  const local = wish.isOnlyOutside ? [] : await lookInside(surroundings, reading, outside?.remoteAheadMs);
  const sections = [...local, ...(outside?.sections ?? [])].filter(({ findings }) => findings.length > 0);
  console.log(wish.isJson ? jsonReport(sections, wish.url) : textReport(sections));
  return worstOf(sections) === 'problem' ? 1 : 0;
}

interface Wish {
  readonly url: string | undefined;
  readonly isJson: boolean;
  readonly isOnlyOutside: boolean;
}

function readWish(args: readonly string[]): Wish | string {
  try {
    const options = { json: { type: 'boolean' }, 'only-outside': { type: 'boolean' } } as const;
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const isOnlyOutside = values['only-outside'] ?? false;
    if (positionals.length > 1 || (isOnlyOutside && positionals.length === 0)) {
      return `Usage: anki-sync-server ${doctorHelp.synopsis}`;
    }
    return { url: positionals[0], isJson: values.json ?? false, isOnlyOutside };
  } catch (error) {
    return `${messageOf(error)} See anki-sync-server --help.`;
  }
}

/** From elsewhere the settings of the server are not known; then it is the limit that it has by default. */
function payloadBytesMax(reading: ConfigReading): number {
  return reading.kind === 'config' ? reading.config.payloadBytesMax : payloadMegsDefault * MiB;
}

async function lookInside(
  surroundings: ConfigSurroundings,
  reading: ConfigReading,
  remoteAheadMs: number | undefined,
): Promise<readonly Section[]> {
  const config = reading.kind === 'config' ? reading.config : undefined;
  const sections: Section[] = [{ title: 'Settings', findings: judgeSettings(reading) }];
  if (config !== undefined) {
    const isRunning = await isServerRunning(config.base);
    sections.push({ title: 'Data folder', findings: judgeFolder(gatherFolder(config, isRunning)) });
    sections.push({ title: 'Server', findings: judgeServer(await gatherServer(isRunning, config.listen)) });
    sections.push({ title: 'Collections', findings: await lookAtCollections(surroundings, config.base) });
  }
  sections.push({ title: 'Clock', findings: judgeClock(gatherClock(config?.base, remoteAheadMs)) });
  sections.push({ title: 'System', findings: judgeLimits(gatherLimits()) });
  return sections;
}

/** By the running server, or in its place. */
async function lookAtCollections(surroundings: ConfigSurroundings, base: string): Promise<readonly Finding[]> {
  let facts: CollectionsFacts = { kind: 'looked', users: [] };
  try {
    await ownerAccess(surroundings)(async (calls) => {
      facts = await gatherCollections(base, calls);
      return 0;
    });
  } catch (error) {
    facts = { kind: 'failed', reason: messageOf(error) };
  }
  return judgeCollections(facts);
}

interface OutsideLook {
  readonly sections: readonly Section[];
  /** How far the clock of the server is ahead of ours, milliseconds; undefined when it did not say. */
  readonly remoteAheadMs: number | undefined;
}

/** Each step only where the one before leads on: who cannot be reached has no certificate. */
async function lookFromOutside(text: string, bytesMax: number): Promise<OutsideLook> {
  const address = readPublicAddress(text);
  if (address.kind === 'unusable') {
    return { sections: [{ title: 'Address', findings: [address.finding] }], remoteAheadMs: undefined };
  }
  const { url } = address;
  const sections: Section[] = [{ title: 'Address', findings: judgePublicAddress(url) }];
  const reach = await gatherReach(url);
  sections.push({ title: 'Name and port', findings: judgeReach(reach) });
  if (reach.addresses.every(({ code }) => code !== undefined)) return { sections, remoteAheadMs: undefined };
  if (url.protocol === 'https:') sections.push({ title: 'TLS', findings: judgeTls(await gatherTls(url)) });
  const message = await gatherMessage(url);
  const plain = await gatherPlainHttp(url);
  const slash = await gatherSlash(url);
  sections.push({
    title: 'The way to the server',
    findings: [
      ...judgeMessage(message),
      ...(slash === undefined ? [] : judgeSlash(slash)),
      ...(plain === undefined ? [] : judgePlainHttp(plain)),
    ],
  });
  const remoteAheadMs = aheadOf(message.modern);
  if (isReached(message))
    sections.push({ title: 'What passes', findings: await lookAtTraffic(url, bytesMax, remoteAheadMs) });
  return { sections, remoteAheadMs };
}

async function lookAtTraffic(
  base: URL,
  bytesMax: number,
  remoteAheadMs: number | undefined,
): Promise<readonly Finding[]> {
  const streaming = judgeStreaming(await gatherStreaming(base, remoteAheadMs ?? 0));
  const bodies = judgeBodies(await gatherBodies(base, bytesMax));
  return [...bodies, ...streaming, ...judgeMeddling(await gatherMeddling(base))];
}

/** The header has whole seconds, cut off: half a second more is right on average. */
function aheadOf(reply: Reply): number | undefined {
  if (reply.kind === 'failure') return undefined;
  const saidMs = Date.parse(reply.headers['date'] ?? '');
  return Number.isNaN(saidMs) ? undefined : saidMs + 500 - reply.atMs;
}
