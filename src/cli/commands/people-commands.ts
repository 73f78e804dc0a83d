import type { Command } from './command.ts';
import { deviceListCommand, deviceRevokeCommand } from './device.ts';
import { hashCommand } from './hash.ts';
import {
  readPasswordHash,
  userAddCommand,
  userEnableCommand,
  userListCommand,
  userPasswordCommand,
  userRemoveCommand,
  userRenameCommand,
} from './user.ts';

const one = { min: 1, max: 1 };
const hashed = { hashed: { type: 'boolean' } } as const;

/** Commands on users and devices. */
export const PEOPLE_COMMANDS: readonly Command[] = [
  {
    name: 'user list',
    synopsis: 'user list',
    meaning: 'list users, those of the environment and those that are stored',
    words: { min: 0, max: 0 },
    options: {},
    run: (owner) => owner(({ people }) => userListCommand(people)),
  },
  {
    name: 'user add',
    synopsis: 'user add <user> [--hashed]',
    meaning: 'make a user; asks for the password, or reads it from standard input, with --hashed a PHC hash of it',
    words: one,
    options: hashed,
    run: async (owner, [user = ''], options) => {
      const hash = await readPasswordHash(options['hashed'] === true);
      return owner(({ people }) => userAddCommand(people, user, hash), { makesFolder: true });
    },
  },
  {
    name: 'user password',
    synopsis: 'user password <user> [--hashed]',
    meaning: 'change the password of a stored user; all devices must log in again',
    words: one,
    options: hashed,
    run: async (owner, [user = ''], options) => {
      const hash = await readPasswordHash(options['hashed'] === true);
      return owner(({ people }) => userPasswordCommand(people, user, hash));
    },
  },
  {
    name: 'user rename',
    synopsis: 'user rename <user> <name>',
    meaning: 'give a stored user another name; data and devices stay',
    words: { min: 2, max: 2 },
    options: {},
    run: (owner, [user = '', target = '']) => owner(({ people }) => userRenameCommand(people, user, target)),
  },
  {
    name: 'user disable',
    synopsis: 'user disable <user>',
    meaning: 'let no device of a stored user sync',
    words: one,
    options: {},
    run: (owner, [user = '']) => owner(({ people }) => userEnableCommand(people, user, false)),
  },
  {
    name: 'user enable',
    synopsis: 'user enable <user>',
    meaning: 'let a disabled user sync again',
    words: one,
    options: {},
    run: (owner, [user = '']) => owner(({ people }) => userEnableCommand(people, user, true)),
  },
  {
    name: 'user remove',
    synopsis: 'user remove <user> [--delete-data <user>]',
    meaning: 'remove a stored user; the data stay unless the name is given again',
    words: one,
    options: { 'delete-data': { type: 'string' } },
    run: (owner, [user = ''], options) => {
      const dataOf = options['delete-data'];
      return owner(({ people }) => userRemoveCommand(people, user, dataOf === undefined ? undefined : String(dataOf)));
    },
  },
  {
    name: 'device list',
    synopsis: 'device list [user]',
    meaning: 'list the devices that are logged in',
    words: { min: 0, max: 1 },
    options: {},
    run: (owner, [user]) => owner(({ people }) => deviceListCommand(people, user)),
  },
  {
    name: 'device revoke',
    synopsis: 'device revoke <user> <device | --all>',
    meaning: 'end the access of a device, or of all of a user, until it logs in again',
    words: { min: 1, max: 2 },
    options: { all: { type: 'boolean' } },
    run: (owner, [user = '', device], options) =>
      owner(({ people }) => deviceRevokeCommand(people, { user, device, isAll: options['all'] === true })),
  },
  {
    name: 'hash',
    synopsis: 'hash [--argon2id]',
    meaning: 'print the hash of a password for SYNC_USER1 with PASSWORDS_HASHED=1',
    words: { min: 0, max: 0 },
    options: { argon2id: { type: 'boolean' } },
    run: (_owner, _words, options) => hashCommand(options['argon2id'] === true),
  },
];
