/**
 * Records: small JSON objects that a person can read, closed by a checksum line.
 *
 *     {"format":1,…}\n
 *     crc32 0a1b2c3d\n
 *
 * The checksum covers the first line with its line feed. Source: docs/formats/records.md.
 */
import {crc32} from 'node:zlib';
import {BorealisError} from '../base/errors.ts';

export function encodeRecord(value: object): Buffer {
  const line = `${JSON.stringify(value)}\n`;
  return Buffer.from(`${line}crc32 ${checksum(line)}\n`);
}

/** @throws BorealisError corrupt when the checksum does not hold; `what` names the record in the message. */
export function decodeRecord(bytes: Buffer, what: string): unknown {
  const text = bytes.toString('utf8');
  const end = text.indexOf('\n') + 1;
  const line = text.slice(0, end);
  if (end === 0 || text.slice(end) !== `crc32 ${checksum(line)}\n`) {
    throw new BorealisError('corrupt', 'record-corrupt', `${what}: its checksum does not hold`);
  }
  return JSON.parse(line);
}

function checksum(line: string): string {
  return crc32(line).toString(16).padStart(8, '0');
}
