/**
 * Certificates of clusters, and of users who log in by a token.
 *
 *     authority (ca.pem) ──▶ one for each cluster: its engines and relays show the same one, so a login
 *                            that is bound to the server's certificate goes through a relay
 *     session authority  ──▶ one for each login by a token, in the user's name, for minutes
 *
 * All but the authority of the data directory are in memory alone, so there is no key on disk that a
 * clone could carry with it, and a new service begins with new ones. A cluster's certificate is renewed
 * when a third of its time is left, or when it lacks a name.
 */
import {X509Certificate} from 'node:crypto';
import {createSecureContext, type SecureContext} from 'node:tls';
import type {Clock} from '../base/clock.ts';
import {
  issueAuthority,
  issueClient,
  issueServer,
  validityOf,
  type Credential,
  type ValidityPeriod,
} from '../base/x509.ts';
import type {EngineTls} from '../engine/engine.ts';
import {BACKDATED_MS} from './certificate-authority.ts';
import type {ClusterEndpointRecord, ClusterRecord} from './records.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
export const SERVER_LIFETIME_MS: number = 90 * DAY_MS;
const RENEWED_MS_LEFT = SERVER_LIFETIME_MS / 3;
/** The session that it opens lives on; it is used at once, and clocks here are one. */
const SESSION_LIFETIME_MS = 5 * MINUTE_MS;
/** Longer than a service runs. */
const SESSION_AUTHORITY_LIFETIME_MS = 3_652 * DAY_MS;
/** Cluster, reader and custom endpoints up to RDS's quota: a new endpoint needs no new certificate. */
const USUAL_NAMES: readonly string[] = [
  'localhost',
  '::1',
  ...Array.from({length: 8}, (_, index) => `127.0.0.${index + 1}`),
];
/** As DescribeCertificates and CACertificateIdentifier name it. */
export const AUTHORITY_IDENTIFIER = 'borealis-ca-ecc256-g1';

export type ClusterCertificate = {
  readonly engine: EngineTls;
  readonly context: SecureContext;
  readonly names: readonly string[];
  readonly validity: ValidityPeriod;
};

export class Certificates {
  readonly authority: string;
  readonly #authority: Credential;
  readonly #sessions: Credential;
  readonly #clock: Clock;
  /** By resource id. */
  readonly #clusters = new Map<string, ClusterCertificate>();

  constructor(authority: Credential, clock: Clock) {
    this.#authority = authority;
    this.authority = authority.certificate;
    this.#clock = clock;
    const lifetimeMs = SESSION_AUTHORITY_LIFETIME_MS;
    this.#sessions = issueAuthority('Borealis sessions', this.#period(lifetimeMs));
  }

  /** The certificate that the cluster shows now; the same until it is due. */
  of(
    {resourceId, identifier}: Pick<ClusterRecord, 'resourceId' | 'identifier'>,
    endpoints: readonly Pick<ClusterEndpointRecord, 'address'>[],
  ): ClusterCertificate {
    const names = [...new Set([...USUAL_NAMES, ...endpoints.map(({address}) => address)])];
    const found = this.#clusters.get(resourceId);
    const dueMs = (found?.validity.notAfterMs ?? 0) - RENEWED_MS_LEFT;
    if (found !== undefined && names.every(name => found.names.includes(name))) {
      if (this.#clock.nowMs() < dueMs) return found;
    }
    const made = this.#issue(identifier, names);
    this.#clusters.set(resourceId, made);
    return made;
  }

  forget(resourceId: string): void {
    this.#clusters.delete(resourceId);
  }

  /** Lets an engine take its owner for this user. */
  session(user: string): Credential {
    return issueClient(this.#sessions, user, this.#period(SESSION_LIFETIME_MS));
  }

  #issue(commonName: string, names: readonly string[]): ClusterCertificate {
    const period = this.#period(SERVER_LIFETIME_MS);
    const credential = issueServer(this.#authority, commonName, names, period);
    return {
      engine: {...credential, clientAuthority: this.#sessions.certificate},
      context: createSecureContext({cert: credential.certificate, key: credential.key}),
      names,
      validity: validityOf(credential.certificate),
    };
  }

  #period(lifetimeMs: number): ValidityPeriod {
    const now = this.#clock.nowMs();
    return {notBeforeMs: now - BACKDATED_MS, notAfterMs: now + lifetimeMs};
  }
}

/** The authority as DescribeCertificates tells it. */
export function describeAuthority(certificate: string): {
  readonly identifier: string;
  readonly thumbprint: string;
  readonly validFrom: Date;
  readonly validTill: Date;
} {
  const {fingerprint, validFrom, validTo} = new X509Certificate(certificate);
  return {
    identifier: AUTHORITY_IDENTIFIER,
    thumbprint: fingerprint.replaceAll(':', '').toLowerCase(),
    validFrom: new Date(validFrom),
    validTill: new Date(validTo),
  };
}
