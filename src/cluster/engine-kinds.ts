/** What the control plane must know of each engine; everything else the instance knows. */
import type {EngineName} from '../engine/engine.ts';
import type {EndpointProtocol} from '../endpoint/refusal.ts';
import {invalidCombination, invalidValue, missingParameter} from './faults.ts';
import {quoted} from './identifiers.ts';

type EngineKind = {
  /** Who answers. */
  readonly product: string;
  /** How many numbers of a version name what reads the same files: `18` of 18.4, `10.11` of 10.11.19. */
  readonly seriesLength: number;
  /** What clients speak with it. */
  readonly protocol: EndpointProtocol;
  /** Whether the engine shows the cluster's certificate. Tokens, which are client certificates to it, need that. */
  readonly hasTls: boolean;
  readonly licenseModel: string;
  /** Databases that are always there: asking for one makes none. */
  readonly standingDatabases: readonly string[];
};

const KINDS: Readonly<Record<EngineName, EngineKind>> = {
  'aurora-postgresql': {
    product: 'PostgreSQL',
    seriesLength: 1,
    protocol: 'postgresql',
    hasTls: true,
    licenseModel: 'postgresql-license',
    standingDatabases: ['postgres'],
  },
  'aurora-mysql': {
    product: 'MariaDB',
    seriesLength: 2,
    protocol: 'mysql',
    hasTls: false,
    licenseModel: 'general-public-license',
    standingDatabases: [],
  },
};

export function kindOf(engine: EngineName): EngineKind {
  return KINDS[engine];
}

export function parseEngine(value: string | undefined): EngineName {
  if (value === undefined || value === '') throw missingParameter('Engine');
  if (value === 'aurora-postgresql' || value === 'aurora-mysql') return value;
  const names = Object.keys(KINDS).join(' and ');
  throw invalidValue(`Invalid DB engine: ${quoted(value)}. The engines here are ${names}.`);
}

/** `aurora-postgresql`, 18.4 → `18`; `aurora-mysql`, 10.11.19 → `10.11`. */
export function seriesOf(engine: EngineName, engineVersion: string): string {
  return engineVersion.split('.').slice(0, KINDS[engine].seriesLength).join('.');
}

/** A token is a client certificate to the engine, so both of these rest on TLS. */
export function refuseWithoutTls(
  engine: EngineName,
  input: {
    readonly CACertificateIdentifier?: string | undefined;
    readonly EnableIAMDatabaseAuthentication?: boolean | undefined;
  },
): void {
  if (KINDS[engine].hasTls) return;
  const isNamed = (input.CACertificateIdentifier ?? '') !== '';
  if (!isNamed && input.EnableIAMDatabaseAuthentication !== true) return;
  const member = isNamed ? 'CACertificateIdentifier' : 'EnableIAMDatabaseAuthentication';
  throw invalidCombination(
    `The parameter ${member} cannot be used: DB clusters of ${engine} have no TLS yet.`,
  );
}
