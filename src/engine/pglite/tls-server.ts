/**
 * TLS at the front end: what a connection shows, and who the client says it is.
 *
 *     SSLRequest ─▶ S ─▶ handshake       or a ClientHello at once, with ALPN (direct TLS)
 *
 * A client certificate of the engine's client authority names the role that its owner may log in as.
 */
import {createHash, X509Certificate} from 'node:crypto';
import type {Socket} from 'node:net';
import {createSecureContext, TLSSocket, type SecureContext} from 'node:tls';
import {systemClock} from '../../base/clock.ts';
import {isClientOf} from '../../base/x509.ts';
import type {EngineTls} from '../engine.ts';

const ALPN_PROTOCOL = 'postgresql';
export const TLS_HANDSHAKE_BYTE = 0x16;

export type ServerTls = {
  readonly clientAuthority: string;
  readonly context: SecureContext;
  /** `tls-server-end-point` of RFC 5929, for a certificate that is signed with SHA-256. */
  readonly certificateHash: Buffer;
};

export function serverTls({certificate, key, clientAuthority}: EngineTls): ServerTls {
  return {
    clientAuthority,
    context: createSecureContext({cert: certificate, key, ca: clientAuthority}),
    certificateHash: createHash('sha256').update(new X509Certificate(certificate).raw).digest(),
  };
}

/** Begins TLS on a connection; what it has read already is to be unshifted before. */
export function secureSocket(socket: Socket, {context}: ServerTls): TLSSocket {
  return new TLSSocket(socket, {
    isServer: true,
    secureContext: context,
    ALPNProtocols: [ALPN_PROTOCOL],
    requestCert: true,
    rejectUnauthorized: false,
  });
}

/** Direct TLS must say which protocol it carries. */
export function speaksProtocol(socket: TLSSocket): boolean {
  return socket.alpnProtocol === ALPN_PROTOCOL;
}

/** The role that the client's certificate names, or null without a good one. The handshake proved its key. */
export function certifiedRole(socket: Socket, tls: ServerTls | null): string | null {
  if (!(socket instanceof TLSSocket) || tls === null) return null;
  const shown = socket.getPeerX509Certificate();
  if (shown === undefined) return null;
  if (!isClientOf(shown, tls.clientAuthority, systemClock.nowMs())) return null;
  const {subject} = shown.toLegacyObject();
  return typeof subject.CN === 'string' ? subject.CN : null;
}
