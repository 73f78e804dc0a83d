/** What the owner of a server can ask for about users and devices. Plain values, so that they can go through a socket. */
export interface PeopleCalls {
  /** All users by name. */
  listUsers(argument: object): Promise<readonly ListedUser[]>;
  /** Makes a user. `passwordHash` is a PHC text: no password ever goes through the socket. */
  addUser(argument: NewUser): Promise<{ readonly hasData: boolean }>;
  /** Gives a stored user another password, and ends the access of all devices. */
  changePassword(argument: NewUser): Promise<{ readonly devices: number }>;
  /** Gives a stored user another name. Data and devices stay. */
  renameUser(argument: { readonly user: string; readonly target: string }): Promise<object>;
  /** Lets a stored user sync again, or not any more. */
  setUserEnabled(argument: { readonly user: string; readonly isEnabled: boolean }): Promise<object>;
  /** Removes a stored user, and the data only if it says so. */
  removeUser(argument: { readonly user: string; readonly deleteData: boolean }): Promise<{ readonly keptIn?: string }>;
  /** Devices of one user, or of all. */
  listDevices(argument: { readonly user?: string }): Promise<readonly UserDevices[]>;
  /** Ends the access of one device, or of all of a user. */
  revokeDevices(argument: { readonly user: string; readonly device?: number }): Promise<{ readonly devices: number }>;
}

export const PEOPLE_NAMES = [
  'listUsers',
  'addUser',
  'changePassword',
  'renameUser',
  'setUserEnabled',
  'removeUser',
  'listDevices',
  'revokeDevices',
] as const satisfies readonly (keyof PeopleCalls)[];
export type PeopleName = (typeof PEOPLE_NAMES)[number];

export interface NewUser {
  readonly user: string;
  readonly passwordHash: string;
}

export interface ListedUser {
  readonly name: string;
  readonly isEnabled: boolean;
  /** The variable that names the user; undefined for stored users. */
  readonly variable?: string | undefined;
  /** Undefined when all devices share a key that is made from the variable. */
  readonly devices?: number | undefined;
  /** Epoch milliseconds; undefined when it is not known. */
  readonly lastSeenMs?: number | undefined;
  /** All files in the user's folder. */
  readonly bytes: number;
}

export interface UserDevices {
  readonly user: string;
  /** Names the variable that the one key of all devices is made from, if it is so. */
  readonly sharedKeyOf?: string | undefined;
  readonly devices: readonly ListedDevice[];
}

export interface ListedDevice {
  readonly id: number;
  /** What the client calls itself; empty when it has not said so. */
  readonly client: string;
  /** Network address of the last use; empty when unknown. */
  readonly address: string;
  /** Epoch milliseconds. */
  readonly firstUsedMs: number;
  readonly lastUsedMs: number;
}
