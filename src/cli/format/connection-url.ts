/**
 * Connection URLs of a cluster, and the variables that clients read.
 *
 *     {scheme: 'postgresql', user: 'admin', password: 'p@ss/1', host: '127.0.0.1', port: 5432, database: 'orders'}
 *     → postgresql://admin:p%40ss%2F1@127.0.0.1:5432/orders
 */
import {BorealisError} from '../../base/errors.ts';

/** How a client is to verify whom it reached. */
export type ConnectionTls = {readonly rootCertificateFile: string};

export type ConnectionTarget = {
  readonly scheme: 'postgresql' | 'mysql';
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Null when it is not known here, or not to be shown. */
  readonly password: string | null;
  /** Empty for none, which MySQL allows. */
  readonly database: string;
};

/** Throws invalid for TLS with MySQL, whose clusters have none. */
export function connectionUrl(target: ConnectionTarget, tls: ConnectionTls | null = null): string {
  if (tls !== null && target.scheme === 'mysql') {
    throw new BorealisError(
      'invalid',
      'InvalidParameterCombination',
      'there is no URL with TLS: DB clusters of aurora-mysql have no TLS yet',
    );
  }
  const password = target.password === null ? '' : `:${percentEncode(target.password)}`;
  const host = target.host.includes(':') ? `[${target.host}]` : target.host;
  const user = percentEncode(target.user);
  const query =
    tls === null
      ? ''
      : `?sslmode=verify-full&sslrootcert=${percentEncode(tls.rootCertificateFile)}`;
  return `${target.scheme}://${user}${password}@${host}:${target.port}/${percentEncode(target.database)}${query}`;
}

export function connectionEnvironment(target: ConnectionTarget): Record<string, string> {
  return target.scheme === 'mysql' ? mysqlEnvironment(target) : postgresEnvironment(target);
}

function postgresEnvironment(target: ConnectionTarget): Record<string, string> {
  return {
    PGHOST: target.host,
    PGPORT: String(target.port),
    PGUSER: target.user,
    PGDATABASE: target.database,
    ...(target.password === null ? {} : {PGPASSWORD: target.password}),
  };
}

/** What MySQL's and MariaDB's clients read; there is none for the user. */
function mysqlEnvironment({host, port, password}: ConnectionTarget): Record<string, string> {
  return {
    MYSQL_HOST: host,
    MYSQL_TCP_PORT: String(port),
    ...(password === null ? {} : {MYSQL_PWD: password}),
  };
}

/** `export NAME='value'` lines for a POSIX shell's `eval`. */
export function shellExports(variables: Readonly<Record<string, string>>): string {
  return Object.entries(variables)
    .map(([name, value]) => `export ${name}=${shellQuote(value)}\n`)
    .join('');
}

/** One word of a POSIX shell: `it's` → `'it'\''s'`. Plain words stay as they are. */
export function shellQuote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** All but RFC 3986's unreserved characters. `encodeURIComponent` leaves five more as they are. */
function percentEncode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
