/** What a client is told once it is logged in. */
import type {Startup} from './startup.ts';
import type {Report} from './wire.ts';

/** What PostgreSQL 18 reports of itself (GUC_REPORT). */
export const REPORTED_SETTINGS: readonly string[] = [
  'application_name',
  'client_encoding',
  'DateStyle',
  'default_transaction_read_only',
  'in_hot_standby',
  'integer_datetimes',
  'IntervalStyle',
  'is_superuser',
  'scram_iterations',
  'search_path',
  'server_encoding',
  'server_version',
  'session_authorization',
  'standard_conforming_strings',
  'TimeZone',
];

export const LIMITS_NOTICE: Report = {
  severity: 'NOTICE',
  code: '00000',
  message: 'this is PGlite, PostgreSQL in WebAssembly: one session at a time, no replication',
  detail:
    'A transaction of another session makes this one wait. Temporary tables, advisory locks, WITH HOLD cursors and PREPARE in SQL make the others wait.',
};

/** `client_min_messages` above notice, given at startup, is respected. */
export function wantsNotices(startup: Startup): boolean {
  const level = startup.settings.get('client_min_messages')?.toLowerCase() ?? 'notice';
  return !['warning', 'error', 'fatal', 'panic'].includes(level);
}
