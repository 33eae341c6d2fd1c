/**
 * A login by a token, as an engine with a method `password` would do it: over TLS alone.
 *
 *     relay ── AuthenticationCleartextPassword ──▶ client
 *     relay ◀── PasswordMessage (the token) ────── client
 *
 * What follows (AuthenticationOk, …) comes from the engine, which admits the user by certificate.
 * A token that is no good and a user that is unknown end alike, with 28000 as at RDS (`PAM
 * authentication failed`); the reason goes to the log, for the client may be anyone.
 */
import type {Socket} from 'node:net';
import {after} from '../base/clock.ts';
import {readBytes} from './opening.ts';

const CLEARTEXT_PASSWORD: Buffer = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]);
const PASSWORD_TYPE = 0x70;
const HEAD_BYTES = 5;
/** A token has some 400 bytes, with a session's some 2,000. */
const TOKEN_BYTES_MAX = 8_192;
/** As long as the engine would wait: PostgreSQL's authentication_timeout. */
const TOKEN_MS_MAX = 60_000;

/** The token that the client sends when it is asked; null when it sends none. */
export async function askForToken(socket: Socket): Promise<string | null> {
  const late = new AbortController();
  const cancel = after(TOKEN_MS_MAX, () => late.abort());
  try {
    socket.write(CLEARTEXT_PASSWORD);
    const head = await readBytes(socket, HEAD_BYTES, late.signal);
    if (head === null || head[0] !== PASSWORD_TYPE) return null;
    const length = head.readUInt32BE(1) - 4;
    if (length < 1 || length > TOKEN_BYTES_MAX) return null;
    const body = await readBytes(socket, length, late.signal);
    return body === null || body.at(-1) !== 0 ? null : body.toString('utf8', 0, length - 1);
  } finally {
    cancel();
  }
}
