import { cpSync, existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { messageOf } from '../../src/errors.ts';
import { digestOf, type FolderContent, layDown, type Survival } from '../support/faults/disk-image.ts';
import { describeRecord } from '../support/faults/trace.ts';
import { startServer } from '../support/server.ts';
import { checkAccount } from './account-checks.ts';
import { fastFolder } from './fast-folder.ts';
import { type AccountState, describeCut, possibleStates, type Recording } from './recording.ts';

/** A moment at which everything stops, and what is left then. */
export interface Cut {
  readonly at: number;
  readonly survival: Survival;
  /** For messages. */
  readonly label: string;
}

export interface CutOutcome {
  /** Different contents of the disk that a server was started on. */
  readonly images: number;
  readonly cuts: number;
  readonly failures: readonly string[];
}

interface Image {
  readonly content: FolderContent;
  readonly possible: readonly AccountState[];
  readonly situation: string;
}

/** Images that one server looks after at the same time, each as a user of its own. */
const imagesPerServer = 48;
const checksAtOnce = 4;

/** Builds the disk as each cut leaves it, starts servers on them, and checks the account. */
export async function checkCuts(recording: Recording, cuts: readonly Cut[]): Promise<CutOutcome> {
  const images = imagesOf(recording, cuts);
  const failures: string[] = [];
  for (let at = 0; at < images.length; at += imagesPerServer) {
    failures.push(...(await checkImages(images.slice(at, at + imagesPerServer))));
  }
  return { images: images.length, cuts: cuts.length, failures };
}

/** Many cuts leave the same: each image is looked at once for each set of states that it may hold. */
function imagesOf(recording: Recording, cuts: readonly Cut[]): Image[] {
  const images = new Map<string, Image>();
  for (const { at, survival, label } of cuts) {
    const content = userPart(recording.image.after(recording.trace, at, survival), recording.user);
    const possible = possibleStates(recording, at);
    const acknowledged = recording.steps.filter((step) => at >= step.acknowledged).length;
    const situation = `${label}, ${describeCut(recording, at)}, before "${describeRecord(recording.trace[at])}"`;
    const key = `${acknowledged} ${possible.length} ${digestOf(content)}`;
    if (!images.has(key)) images.set(key, { content, possible, situation });
  }
  return [...images.values()];
}

/** What lies in the user's folder; empty when even that is lost. */
function userPart(content: FolderContent, user: string): FolderContent {
  const part = new Map<string, Buffer | null>();
  for (const [name, bytes] of content) {
    if (name === user) part.set('', bytes);
    else if (name.startsWith(`${user}/`)) part.set(name.slice(user.length + 1), bytes);
  }
  return part;
}

async function checkImages(images: readonly Image[]): Promise<string[]> {
  const base = fastFolder('images-');
  const failures: string[] = [];
  try {
    const users = images.map((_image, index) => `image${index}`);
    images.forEach(({ content }, index) => {
      layDown(content, path.join(base, users[index] ?? ''));
    });
    await using server = await startServer({ kind: 'ours', base, users, passwords: 'plain' });
    let next = 0;
    const checkSome = async () => {
      for (let index = next++; index < images.length; index = next++) {
        const [image, user] = [images[index], users[index] ?? ''];
        if (image === undefined) break;
        try {
          await checkAccount({
            client: server.rawClient(user),
            folder: path.join(base, user),
            possible: image.possible,
          });
        } catch (error) {
          const log = server.log.split('\n').filter((line) => line.includes(user));
          failures.push([image.situation, messageOf(error), ...log.slice(-8)].join('\n  '));
          keepForLater(image, failures.length);
        }
      }
    };
    await Promise.all(Array.from({ length: checksAtOnce }, checkSome));
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
  return failures;
}

/** With TEST_KEEP=folder the disks on which something was wrong are kept there. */
function keepForLater({ content }: Image, number: number): void {
  const keep = process.env.TEST_KEEP;
  if (keep === undefined) return;
  const folder = path.join(keep, `image-${number}`);
  if (existsSync(folder)) rmSync(folder, { recursive: true });
  const temp = fastFolder('image-');
  layDown(content, path.join(temp, 'user'));
  cpSync(path.join(temp, 'user'), folder, { recursive: true });
  rmSync(temp, { recursive: true });
}
