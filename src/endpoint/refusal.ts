/**
 * Refusals that a client understands: it shows the sentence instead of "connection reset". One that
 * asked for TLS gets it first, where there is a certificate, so that it hears why as well.
 *
 *     PostgreSQL   in place of any answer to the client's first message
 *                  'E' | length u32 (without the 'E') | 'S' severity \0 'V' severity \0 'C' sqlstate \0 'M' text \0 | \0
 *     MySQL        in place of the greeting, with which the server speaks first
 *                  length u24 | sequence number 0 | 0xff | code u16 | '#' sqlstate | text        (little-endian)
 */
import type {Socket} from 'node:net';
import type {SecureContext} from 'node:tls';
import {assert} from '../base/assert.ts';
import {after} from '../base/clock.ts';
import {readOpening} from './opening.ts';

export const CANNOT_CONNECT_NOW = '57P03';
export const TOO_MANY_CONNECTIONS = '53300';
export const INVALID_AUTHORIZATION = '28000';

/** What the clients of an endpoint speak. */
export type EndpointProtocol = 'postgresql' | 'mysql';

/** Codes of MySQL errors that say the same. */
const MYSQL_ERRORS: Readonly<Record<string, {readonly code: number; readonly sqlState: string}>> = {
  [CANNOT_CONNECT_NOW]: {code: 1053, sqlState: '08S01'},
  [TOO_MANY_CONNECTIONS]: {code: 1040, sqlState: '08004'},
};

/** A client that is refused and has not spoken yet gets this long to ask for encryption. */
const REFUSE_SILENT_MS = 200;
/** For a handshake, and for the last word to be read; then the client is cut. */
const REFUSE_MS_MAX = 2_000;

/** Says why, then closes. A client that says nothing is told after a moment all the same. */
export async function refuse(
  client: Socket,
  certificate: SecureContext | null,
  sqlState: string,
  reason: string,
): Promise<void> {
  cutAfter(client, REFUSE_MS_MAX);
  const silence = new AbortController();
  const cancel = after(REFUSE_SILENT_MS, () => {
    if (client.bytesRead === 0) silence.abort();
  });
  client.once('close', () => silence.abort());
  const opening = await readOpening(client, certificate, silence.signal);
  cancel();
  if (opening !== null) lastWord(opening.socket, sqlState, reason);
  else if (silence.signal.aborted) lastWord(client, sqlState, reason);
  else client.destroy();
}

/** Tells a client whose opening was read why it ends, and ends it. */
export function lastWord(socket: Socket, sqlState: string, reason: string): void {
  sayLast(socket, errorResponse(sqlState, reason));
}

/** Says why at once, in place of the greeting that a MySQL client waits for before it speaks, and closes. */
export function refuseUnheard(client: Socket, sqlState: string, reason: string): void {
  sayLast(client, mysqlError(sqlState, reason));
}

function sayLast(socket: Socket, packet: Buffer): void {
  if (socket.destroyed || socket.writableEnded) return;
  socket.end(packet);
  // Unread bytes at close would turn the FIN into a reset.
  socket.resume();
  cutAfter(socket, REFUSE_MS_MAX);
}

export function cutAfter(socket: Socket, graceMs: number): void {
  const cancel = after(graceMs, () => socket.destroy());
  socket.once('close', cancel);
}

export function errorResponse(sqlState: string, message: string): Buffer {
  const fields = [`SFATAL`, `VFATAL`, `C${sqlState}`, `M${message.replaceAll('\0', '')}`];
  const body = Buffer.from(`${fields.join('\0')}\0\0`, 'utf8');
  const head = Buffer.alloc(5);
  head.write('E', 'latin1');
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

export function mysqlError(sqlState: string, message: string): Buffer {
  const error = MYSQL_ERRORS[sqlState];
  assert(error !== undefined, 'each refusal has its MySQL error');
  const head = Buffer.alloc(7);
  head.writeUInt8(0xff, 4);
  head.writeUInt16LE(error.code, 5);
  const packet = Buffer.concat([head, Buffer.from(`#${error.sqlState}${message}`, 'utf8')]);
  packet.writeUIntLE(packet.length - 4, 0, 3);
  return packet;
}
