/**
 * Errors for a client that cannot be routed: it shows the sentence instead of "connection reset".
 *
 *     PostgreSQL   in place of any answer to the client's first message
 *                  'E' | length u32 (without the 'E') | 'S' severity \0 'V' severity \0 'C' sqlstate \0 'M' text \0 | \0
 *     MySQL        in place of the greeting, with which the server speaks first
 *                  length u24 | sequence number 0 | 0xff | code u16 | '#' sqlstate | text        (little-endian)
 */
import {assert} from '../base/assert.ts';

export const CANNOT_CONNECT_NOW = '57P03';
export const TOO_MANY_CONNECTIONS = '53300';

/** What the clients of an endpoint speak. */
export type EndpointProtocol = 'postgresql' | 'mysql';

/** Codes of MySQL errors that say the same. */
const MYSQL_ERRORS: Readonly<Record<string, {readonly code: number; readonly sqlState: string}>> = {
  [CANNOT_CONNECT_NOW]: {code: 1053, sqlState: '08S01'},
  [TOO_MANY_CONNECTIONS]: {code: 1040, sqlState: '08004'},
};

/** SSLRequest and GSSENCRequest: length 8 and a code in place of the protocol version. */
const ENCRYPTION_CODES = [80_877_103, 80_877_104];
/** The answer to either: go on without. */
export const ENCRYPTION_REFUSED = 'N';

export function isEncryptionRequest(bytes: Buffer): boolean {
  return (
    bytes.length === 8 &&
    bytes.readUInt32BE(0) === 8 &&
    ENCRYPTION_CODES.includes(bytes.readUInt32BE(4))
  );
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
