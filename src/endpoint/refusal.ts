/**
 * A PostgreSQL ErrorResponse, for a client that cannot be routed: it shows the sentence instead of
 * "connection reset". Clients take it in place of any answer to their first message.
 *
 *     'E' | length u32 (without the 'E') | 'S' severity \0 'V' severity \0 'C' sqlstate \0 'M' text \0 | \0
 */
export const CANNOT_CONNECT_NOW = '57P03';
export const TOO_MANY_CONNECTIONS = '53300';

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
