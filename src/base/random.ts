import {randomBytes, randomInt} from 'node:crypto';

/** `length` characters from a–z, A–Z and 0–9: safe in URLs, shells and SQL. About 5.95 bits each. */
export function randomToken(length: number): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
  return Array.from({length}, () => alphabet[randomInt(alphabet.length)]).join('');
}

/** `length` upper-case letters and digits, as in RDS resource ids (`cluster-ABC…`). */
export function randomResourceSuffix(length: number): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  return Array.from({length}, () => alphabet[randomInt(alphabet.length)]).join('');
}

export function randomHex(byteCount: number): string {
  return randomBytes(byteCount).toString('hex');
}
