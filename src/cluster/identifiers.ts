/**
 * Names of DB clusters and DB instances: letters, digits and hyphens, 1 to 63, a letter first, no two
 * hyphens together, none at the end. Kept in lower case, matched in any case.
 *
 *     'Orders-1' → 'orders-1'        'arn:aws:rds:local-1:000000000000:cluster:orders' → 'orders'
 */
import {randomInt} from 'node:crypto';
import {randomResourceSuffix} from '../base/random.ts';
import {invalidValue, missingParameter} from './faults.ts';
import type {ServiceIdentity} from './records.ts';

const IDENTIFIER_LENGTH_MAX = 63;
const IDENTIFIER = /^[a-zA-Z](?:-?[a-zA-Z0-9])*$/;

export type ResourceType = 'cluster' | 'cluster-endpoint' | 'db' | 'cluster-pg' | 'pg' | 'subgrp';

/** The identifier in lower case, or a fault that names the member. */
export function parseIdentifier(member: string, value: string | undefined): string {
  if (value === undefined || value === '') throw missingParameter(member);
  if (value.length > IDENTIFIER_LENGTH_MAX || !IDENTIFIER.test(value)) {
    throw invalidValue(
      `The parameter ${member} is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII letters, digits, and hyphens; must not end with a hyphen or contain two consecutive hyphens; and have at most ${IDENTIFIER_LENGTH_MAX} characters. Given: ${quoted(value)}`,
    );
  }
  return value.toLowerCase();
}

/** As `parseIdentifier`, but an ARN of this service's own resource serves too. */
export function parseReference(
  member: string,
  value: string | undefined,
  type: ResourceType,
  identity: ServiceIdentity,
): string {
  if (value === undefined || !value.startsWith('arn:')) return parseIdentifier(member, value);
  const prefix = arnPrefix(type, identity);
  if (!value.toLowerCase().startsWith(prefix)) {
    throw invalidValue(
      `The parameter ${member} is not an ARN of this service: ${quoted(value)}. Its ARNs begin with ${prefix}`,
    );
  }
  return parseIdentifier(member, value.slice(prefix.length));
}

/** Type and name in an ARN of this service; names are matched in any case, so it is in lower case. */
export function parseArn(
  member: string,
  value: string | undefined,
  identity: ServiceIdentity,
): {readonly type: string; readonly name: string} {
  if (value === undefined || value === '') throw missingParameter(member);
  const prefix = `arn:aws:rds:${identity.region}:${identity.accountId}:`;
  const [type = '', name = '', ...rest] = value.slice(prefix.length).split(':');
  if (!value.startsWith(prefix) || type === '' || name === '' || rest.length > 0) {
    throw invalidValue(
      `The parameter ${member} is not an ARN of this service: ${quoted(value)}. Its ARNs have the form ${prefix}type:name.`,
    );
  }
  return {type, name: name.toLowerCase()};
}

const GROUP_NAME_LENGTH_MAX = 255;
/** As an identifier, with dots for those of the service, as in `default.aurora-postgresql18`. */
const GROUP_NAME = /^[a-z](?:[-.]?[a-z0-9])*$/i;

/** The name of a group in lower case. With a type, an ARN of this service serves too. */
export function parseGroupName(
  member: string,
  value: string | undefined,
  type?: ResourceType,
  identity?: ServiceIdentity,
): string {
  if (value === undefined || value === '') throw missingParameter(member);
  const prefix = type === undefined || identity === undefined ? null : arnPrefix(type, identity);
  const name =
    prefix !== null && value.toLowerCase().startsWith(prefix) ? value.slice(prefix.length) : value;
  if (name.length > GROUP_NAME_LENGTH_MAX || !GROUP_NAME.test(name)) {
    throw invalidValue(
      `The parameter ${member} is not a valid identifier. It must begin with a letter; must contain only ASCII letters, digits, and hyphens; must not end with a hyphen or contain two consecutive hyphens; and have at most ${GROUP_NAME_LENGTH_MAX} characters. Given: ${quoted(value)}`,
    );
  }
  return name.toLowerCase();
}

export function arnOf(type: ResourceType, identity: ServiceIdentity, identifier: string): string {
  return arnPrefix(type, identity) + identifier;
}

function arnPrefix(type: ResourceType, identity: ServiceIdentity): string {
  return `arn:aws:rds:${identity.region}:${identity.accountId}:${type}:`;
}

/** `cluster-`, `cluster-endpoint-` or `db-` and 26 characters, as RDS has them. */
export function newResourceId(type: 'cluster' | 'cluster-endpoint' | 'db'): string {
  return `${type}-${randomResourceSuffix(26)}`;
}

/** Twelve digits, the first not 0. */
export function newAccountId(): string {
  return `${randomInt(1, 10)}${String(randomInt(0, 10 ** 11)).padStart(11, '0')}`;
}

/** What a caller sent, short enough and printable for a message. */
export function quoted(value: string): string {
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
}
