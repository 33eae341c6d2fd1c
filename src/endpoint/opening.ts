/**
 * What a client says first, read no further than the relay must know to route it.
 *
 *     GSSENCRequest ─▶ N ─┐
 *     SSLRequest ─▶ S ─▶ TLS handshake ─┐        (N without a certificate)
 *     ClientHello ─────▶ TLS handshake ─┤        (direct TLS, PostgreSQL 17 and later)
 *                                       ▼
 *                   StartupMessage (a user) │ CancelRequest │ anything else: for the engine to refuse
 *
 * Rules:  bytes that came with an SSLRequest were not protected, and could be taken for some that
 *         were: such a connection is cut. Direct TLS needs ALPN, as at the engine.
 * Limits: a first packet is at most OPENING_BYTES_MAX; the caller sets the deadline.
 */
import {once} from 'node:events';
import type {Socket} from 'node:net';
import {TLSSocket, type SecureContext} from 'node:tls';

/** PostgreSQL's MAX_STARTUP_PACKET_LENGTH. */
export const OPENING_BYTES_MAX = 10_000;
/** One request for each kind of encryption is what clients make; the rest is none of theirs. */
const ENCRYPTION_REQUESTS_MAX = 4;
/** The registered protocol of ALPN. */
export const ALPN_PROTOCOL = 'postgresql';
const TLS_HANDSHAKE_BYTE = 0x16;
const LENGTH_BYTES = 4;
const CODE_BYTES = 4;
const CANCEL_REQUEST_CODE = 80_877_102;
const SSL_REQUEST_CODE = 80_877_103;
const GSSENC_REQUEST_CODE = 80_877_104;
const PROTOCOL_MAJOR = 3;

export type Opening =
  | {
      readonly kind: 'startup';
      /** To go on with: the client's own socket, or the TLS over it. */
      readonly socket: Socket;
      readonly isSecure: boolean;
      readonly packet: Buffer;
      readonly user: string;
    }
  | {readonly kind: 'cancel'; readonly socket: Socket; readonly packet: Buffer}
  /** Nothing was taken from the socket. */
  | {readonly kind: 'other'; readonly socket: Socket; readonly isSecure: boolean};

/**
 * Null when the client went away, broke the rules above or took too long; it may be connected still.
 * Without a certificate, TLS is declined.
 */
export async function readOpening(
  client: Socket,
  certificate: SecureContext | null,
  deadline: AbortSignal,
): Promise<Opening | null> {
  const first = await readBytes(client, 1, deadline);
  if (first === null) return null;
  client.unshift(first);
  if (first[0] !== TLS_HANDSHAKE_BYTE) return readPackets(client, certificate, deadline);
  if (certificate === null) return {kind: 'other', socket: client, isSecure: false};
  const secure = await secured(client, certificate, deadline);
  if (secure === null || secure.alpnProtocol !== ALPN_PROTOCOL) return null;
  return readPackets(secure, null, deadline);
}

/** `certificate`: null once TLS is there, or where there is none. */
async function readPackets(
  socket: Socket,
  certificate: SecureContext | null,
  deadline: AbortSignal,
): Promise<Opening | null> {
  const isSecure = socket instanceof TLSSocket;
  for (let requests = 0; requests < ENCRYPTION_REQUESTS_MAX; requests++) {
    const lengthBytes = await readBytes(socket, LENGTH_BYTES, deadline);
    if (lengthBytes === null) return null;
    socket.unshift(lengthBytes);
    const length = lengthBytes.readUInt32BE();
    if (length < LENGTH_BYTES + CODE_BYTES || length > OPENING_BYTES_MAX) {
      return {kind: 'other', socket, isSecure};
    }
    const head = await readBytes(socket, LENGTH_BYTES + CODE_BYTES, deadline);
    if (head === null) return null;
    const code = head.readUInt32BE(LENGTH_BYTES);
    const isRequest = length === head.length;
    if (isRequest && code === SSL_REQUEST_CODE && certificate !== null) {
      if (socket.readableLength > 0) return null;
      socket.write('S');
      const secure = await secured(socket, certificate, deadline);
      return secure === null ? null : readPackets(secure, null, deadline);
    }
    if (isRequest && (code === SSL_REQUEST_CODE || code === GSSENC_REQUEST_CODE)) {
      socket.write('N');
      continue;
    }
    const isKnown = code === CANCEL_REQUEST_CODE || code >>> 16 === PROTOCOL_MAJOR;
    if (!isKnown || isRequest) {
      socket.unshift(head);
      return {kind: 'other', socket, isSecure};
    }
    const body = await readBytes(socket, length - head.length, deadline);
    if (body === null) return null;
    const packet = Buffer.concat([head, body]);
    if (code === CANCEL_REQUEST_CODE) return {kind: 'cancel', socket, packet};
    return {kind: 'startup', socket, isSecure, packet, user: userOf(packet)};
  }
  return null;
}

/**
 * Takes `count` bytes; null when the stream ends or the time is over before they are there. One listener
 * until then: a stream tells a new one at once of bytes that it has, were they too few or not.
 */
export function readBytes(
  socket: Socket,
  count: number,
  deadline: AbortSignal,
): Promise<Buffer | null> {
  return new Promise(resolve => {
    const settle = (bytes: Buffer | null): void => {
      socket.off('readable', look).off('end', giveUp).off('close', giveUp).off('error', giveUp);
      deadline.removeEventListener('abort', giveUp);
      resolve(bytes);
    };
    const giveUp = (): void => settle(null);
    const look = (): void => {
      if (socket.destroyed || deadline.aborted) return giveUp();
      const bytes: unknown = socket.read(count);
      if (bytes instanceof Buffer) settle(bytes.length === count ? bytes : null);
      else if (socket.readableEnded) giveUp();
    };
    socket.on('readable', look).on('end', giveUp).on('close', giveUp).on('error', giveUp);
    deadline.addEventListener('abort', giveUp);
    look();
  });
}

async function secured(
  socket: Socket,
  secureContext: SecureContext,
  deadline: AbortSignal,
): Promise<TLSSocket | null> {
  const secure = new TLSSocket(socket, {
    isServer: true,
    secureContext,
    ALPNProtocols: [ALPN_PROTOCOL],
  });
  secure.on('error', () => secure.destroy());
  try {
    await Promise.race([
      once(secure, 'secure', {signal: deadline}),
      once(secure, 'close', {signal: deadline}),
    ]);
  } catch {
    return null;
  }
  return secure.destroyed ? null : secure;
}

/** The value of `user` among the names and values that follow the version, as the engine reads it: the last. */
function userOf(packet: Buffer): string {
  const words = packet.toString('utf8', LENGTH_BYTES + CODE_BYTES).split('\0');
  let user = '';
  for (let index = 0; index + 1 < words.length && words[index] !== ''; index += 2) {
    if (words[index] === 'user') user = words[index + 1] ?? '';
  }
  return user;
}
