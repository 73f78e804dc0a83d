import { readdirSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Image } from './image.ts';
import { childrenOf, Program, runToEnd } from './program.ts';

export interface ContainerOptions {
  /** `uid:gid` in the place of the image's own, as `docker run --user`. */
  readonly user?: string;
  readonly env: Readonly<Record<string, string>>;
  /** Folder for the data, which outlives the container. */
  readonly data: string;
}

/**
 * Runs an image as container engines do with `--read-only --tmpfs /tmp --cap-drop ALL` (for root: without those that
 * changing the account takes): its own mounts and processes, nothing writable but the data folder and /tmp.
 */
export class Container implements AsyncDisposable {
  readonly program: Program;
  readonly #image: Image;

  static async start(image: Image, options: ContainerOptions): Promise<Container> {
    await mkdir(options.data, { recursive: true });
    return new Container(image, options);
  }

  private constructor(image: Image, { user = image.user, env, data }: ContainerOptions) {
    this.#image = image;
    const [volume = ''] = image.volumes;
    const script = `
      set -e; root=$1; data=$2; volume=$3; user=$4; shift 4
      mount --bind "$root" "$root"
      mount -t proc proc "$root/proc"
      mount -t tmpfs -o size=64m tmpfs "$root/tmp"; chmod 1777 "$root/tmp"
      mount -t tmpfs -o size=1m tmpfs "$root/dev"
      for device in null zero random urandom; do touch "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"; done
      mount --bind "$data" "$root$volume"
      mount -o remount,ro,bind "$root"
      cd "$root"
      keep=-all; [ "\${user%%:*}" -ne 0 ] || keep=-all,+chown,+setuid,+setgid,+dac_read_search,+sys_chroot
      [ "$keep" != -all ] || keep=-all,+setuid,+setgid,+sys_chroot
      exec setpriv --bounding-set="$keep" --inh-caps=-all chroot --userspec="$user" --groups= . /usr/bin/env -i -C / "$@"`;
    const isolation = ['--mount', '--pid', '--ipc', '--uts', '--fork', '--kill-child', '--propagation=private'];
    const environment = Object.entries({ ...image.env, ...env }).map(([name, value]) => `${name}=${value}`);
    const outer = ['sh', '-c', script, 'sh', image.root, data, volume, user];
    this.program = new Program('unshare', {
      args: [...isolation, ...outer, ...environment, ...image.entrypoint],
      env: { PATH: process.env['PATH'] ?? '' },
    });
  }

  /** Its first process, by the number that it has outside. */
  async firstProcess(): Promise<number> {
    const [pid] = await childrenOf(this.program.pid);
    if (pid === undefined) throw new Error(`the container has ended:\n${this.program.output}`);
    return pid;
  }

  /** Runs the image's health check inside, as the account of the image. Rejects when it fails. */
  async healthcheck(env: Readonly<Record<string, string>>): Promise<void> {
    const environment = Object.entries({ ...this.#image.env, ...env }).map(([name, value]) => `${name}=${value}`);
    const target = ['--target', String(await this.firstProcess()), '--mount', '--pid', '--ipc', '--uts', '--root'];
    await runToEnd('nsenter', {
      args: [
        ...target,
        '--wd=/',
        '--setuid=1000',
        '--setgid=1000',
        '/usr/bin/env',
        '-i',
        ...environment,
        ...this.#image.healthcheck,
      ],
      env: { PATH: process.env['PATH'] ?? '' },
    });
  }

  /** What runs inside: number and state, as `ps` shows them. */
  async processes(): Promise<{ readonly pid: number; readonly state: string }[]> {
    const proc = path.join('/proc', String(await this.firstProcess()), 'root/proc');
    return readdirSync(proc)
      .filter((name) => /^\d+$/.test(name))
      .map((name) => {
        const stat = readFileSync(path.join(proc, name, 'stat'), 'utf8');
        return { pid: Number(name), state: stat.slice(stat.lastIndexOf(')') + 2)[0] ?? '' };
      });
  }

  /** What `docker stop` does: SIGTERM to the first process. Returns the exit code. */
  async stop(): Promise<number | NodeJS.Signals | null> {
    process.kill(await this.firstProcess(), 'SIGTERM');
    return this.program.ended();
  }

  /** The address that the server prints. */
  url(): Promise<string> {
    return this.program.url();
  }

  /** The first process is ended first: one that has changed its account outlives those that started it. */
  async [Symbol.asyncDispose](): Promise<void> {
    const [pid] = await childrenOf(this.program.pid).catch(() => []);
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
    await this.program[Symbol.asyncDispose]();
  }
}

/** The line of `/proc/1/status` of a container, read from outside. */
export async function statusOf(container: Container, field: string): Promise<string> {
  const status = readFileSync(`/proc/${await container.firstProcess()}/status`, 'utf8');
  return new RegExp(`^${field}:(.*)$`, 'm').exec(status)?.[1]?.trim().replaceAll('\t', ' ') ?? '';
}
