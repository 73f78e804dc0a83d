import type { Socket } from 'node:net';

/** Where a connection comes from: an IP address, `unix` for a Unix socket, `unknown` when it was gone at once. */
export type Peer = string;
export const unixPeer: Peer = 'unix';
export const unknownPeer: Peer = 'unknown';

const peers = new WeakMap<Socket, Peer>();

/** Notes it when the connection is made: a socket that was closed has no address, and must not look like a Unix socket. */
export function notePeer(socket: Socket, isUnix: boolean): void {
  peers.set(socket, isUnix ? unixPeer : (socket.remoteAddress ?? unknownPeer));
}

export function peerOf(socket: Socket): Peer {
  return peers.get(socket) ?? unknownPeer;
}
