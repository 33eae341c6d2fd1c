/**
 * Connection URLs and `PG*` variables of a cluster.
 *
 *     {user: 'admin', password: 'p@ss/1', host: '127.0.0.1', port: 5432, database: 'orders'}
 *     → postgresql://admin:p%40ss%2F1@127.0.0.1:5432/orders
 */
/** How a client is to verify whom it reached. */
export type ConnectionTls = {readonly rootCertificateFile: string};

export type ConnectionTarget = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Null when it is not known here, or not to be shown. */
  readonly password: string | null;
  readonly database: string;
};

export function connectionUrl(target: ConnectionTarget, tls: ConnectionTls | null = null): string {
  const password = target.password === null ? '' : `:${percentEncode(target.password)}`;
  const host = target.host.includes(':') ? `[${target.host}]` : target.host;
  const user = percentEncode(target.user);
  const query =
    tls === null
      ? ''
      : `?sslmode=verify-full&sslrootcert=${percentEncode(tls.rootCertificateFile)}`;
  return `postgresql://${user}${password}@${host}:${target.port}/${percentEncode(target.database)}${query}`;
}

export function connectionEnvironment(target: ConnectionTarget): Record<string, string> {
  return {
    PGHOST: target.host,
    PGPORT: String(target.port),
    PGUSER: target.user,
    PGDATABASE: target.database,
    ...(target.password === null ? {} : {PGPASSWORD: target.password}),
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
