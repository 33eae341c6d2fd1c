/** Names that Borealis has for itself in every PostgreSQL cluster; those of RDS. */

/** Bootstrap superuser. Logs in over the private Unix socket only. */
export const ADMIN_ROLE = 'rdsadmin';
/** Where our own sessions go: the owner of any other database may drop it. */
export const ADMIN_DATABASE = 'rdsadmin';
/** What readers of a cluster log in as; it can do nothing but replicate. */
export const REPLICATION_ROLE = 'rdsrepladmin';
/** Its members log in by a token of `generate-db-auth-token`. */
export const TOKEN_GROUP_ROLE = 'rds_iam';
/** What a master user is a member of; not a superuser. */
export const MASTER_GROUP_ROLE = 'rds_superuser';
