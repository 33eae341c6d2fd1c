/**
 * What an endpoint needs to know to speak for a cluster, beyond where it leads.
 *
 *     pass      bytes go to the one engine untouched, TLS end to end; only a refusal needs the certificate
 *     inspect   the relay ends the client's TLS and begins its own to the engine, with the same
 *               certificate (so that SCRAM with channel binding goes through)
 *
 * Inspecting is for where a new connection does not say to the kernel what the relay must know: a
 * cancel request that has to reach every engine behind the endpoint, a user who logs in by a token.
 *
 * A MySQL endpoint has no gate: there the server speaks first, and a client's first words say no such thing.
 */
import type {SecureContext} from 'node:tls';
import type {Credential} from '../base/x509.ts';

export type Gate = {
  readonly mode: 'pass' | 'inspect';
  /** Of the certificate that the cluster's engines show too. */
  readonly certificate: SecureContext;
  /** The certificate of the authority, in PEM, to know an engine by. */
  readonly authority: string;
  /** Null where users log in at the engine alone. */
  readonly tokens: TokenGate | null;
};

/** Logins by a token instead of a password, which no engine can verify itself. */
export type TokenGate = {
  /** Whether the engine behind `port` has this user log in by a token. */
  isTokenUser(port: number, user: string): Promise<boolean>;
  /** Why the token does not let this user in; null when it does. */
  refusal(token: string, user: string): string | null;
  /** What the engine takes in its place: a client certificate in this user's name. */
  credential(user: string): Credential;
};
