/** Names that Borealis has for itself in every MySQL cluster; those of RDS. */

/**
 * Who our own session logs in as, over the private Unix socket. The account is there for the moment
 * of that login only, so no one can take it over.
 */
export const ADMIN_USER = 'rdsadmin';
/** What readers of a cluster log in as; it can do nothing but replicate. */
export const REPLICATION_USER = 'rdsrepladmin';
/** Readers and writer are on one machine. */
export const REPLICATION_HOST = '127.0.0.1';
