/**
 * The relay's side towards an engine: a connection, TLS over it, a cancel request.
 *
 * It comes from the client's own address where that is another one of loopback's, so that the engine
 * sees (`pg_stat_activity.client_addr`) and logs who connects. The port cannot be the client's: that
 * one is bound by the client itself.
 */
import {once} from 'node:events';
import {createConnection, type Socket} from 'node:net';
import {connect as connectTls, type TLSSocket} from 'node:tls';
import {after} from '../base/clock.ts';
import type {Credential} from '../base/x509.ts';
import {ALPN_PROTOCOL, readBytes} from './opening.ts';

const ENGINE_ADDRESS = '127.0.0.1';
const LOOPBACK = /^127\.\d+\.\d+\.\d+$/;
/** A handshake on loopback takes milliseconds; an engine that hangs is not waited for. */
const HANDSHAKE_MS_MAX = 10_000;
/** An engine looks a cancel request up and closes. */
const CANCEL_MS_MAX = 5_000;
const SSL_REQUEST: Buffer = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

/** Undefined when the engine does not take the connection. */
export function connectEngine(
  port: number,
  clientAddress: string | undefined,
): Promise<Socket | undefined> {
  return new Promise(resolve => {
    const socket = createConnection({
      host: ENGINE_ADDRESS,
      port,
      allowHalfOpen: true,
      noDelay: true,
      ...sourceAddress(clientAddress),
    });
    const fail = (): void => {
      socket.destroy();
      resolve(undefined);
    };
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

/** The kernel's own choice is 127.0.0.1; to bind it as well would only use up ports. */
function sourceAddress(client: string | undefined): {localAddress?: string} {
  if (client === undefined || client === ENGINE_ADDRESS || !LOOPBACK.test(client)) return {};
  return {localAddress: client};
}

/** TLS to an engine that shows a certificate of `authority`; undefined when it does not come about. */
export async function secureEngine(
  engine: Socket,
  authority: string,
  credential: Credential | null,
): Promise<TLSSocket | undefined> {
  const late = new AbortController();
  const cancel = after(HANDSHAKE_MS_MAX, () => late.abort());
  try {
    engine.on('error', () => engine.destroy());
    engine.write(SSL_REQUEST);
    const answer = await readBytes(engine, 1, late.signal);
    if (answer?.toString('latin1') !== 'S') return undefined;
    const secure = connectTls({
      socket: engine,
      ca: authority,
      host: ENGINE_ADDRESS,
      ALPNProtocols: [ALPN_PROTOCOL],
      ...(credential === null ? {} : {cert: credential.certificate, key: credential.key}),
    });
    secure.on('error', () => secure.destroy());
    await once(secure, 'secureConnect', {signal: late.signal});
    return secure;
  } catch {
    // Refused, broken or late: the caller looks for an engine again.
    return undefined;
  } finally {
    cancel();
  }
}

/** Brings a cancel request to an engine. One that does not know the key does nothing. */
export async function sendCancel(port: number, packet: Buffer): Promise<void> {
  const engine = await connectEngine(port, undefined);
  if (engine === undefined) return;
  const cancel = after(CANCEL_MS_MAX, () => engine.destroy());
  engine.on('error', () => engine.destroy());
  engine.resume();
  engine.end(packet);
  await new Promise<void>(resolve => engine.once('close', () => resolve()));
  cancel();
}
