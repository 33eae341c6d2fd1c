/** The catalogue of the engine's settings: what `pg_settings` says of each. */
import {assert} from '../../base/assert.ts';
import type {EngineSetting} from '../engine.ts';
import type {Session} from './session.ts';
import {FORCE_TLS_PARAMETER} from './settings.ts';

const TYPES: readonly EngineSetting['type'][] = ['bool', 'integer', 'real', 'string', 'enum'];

/** RDS's own, which the server itself does not know: it decides what pg_hba.conf lets in. */
const FORCE_TLS: EngineSetting = {
  name: FORCE_TLS_PARAMETER,
  context: 'sighup',
  type: 'bool',
  unit: null,
  min: null,
  max: null,
  values: null,
  absent: 'off',
  category: 'Connections and Authentication / SSL',
  description: 'Force SSL connections.',
};

/** Libraries that a server may load as it or a session starts. */
const PRELOADABLE: readonly string[] = [
  'auth_delay',
  'auto_explain',
  'passwordcheck',
  'pg_cron',
  'pg_hint_plan',
  'pg_prewarm',
  'pg_stat_statements',
  'pg_wait_sampling',
  'pgaudit',
];

/** Who names another one keeps the server from starting, or anyone from connecting. */
const OF_LIBRARIES: readonly string[] = ['session_preload_libraries', 'shared_preload_libraries'];

/** As `readSettings`, with the libraries that are there as the values of those that preload some. */
export async function readSettingsAndLibraries(session: Session): Promise<EngineSetting[]> {
  const [row] = await session.query(`SELECT setting FROM pg_config WHERE name = 'PKGLIBDIR'`);
  const files = await session.query('SELECT pg_ls_dir($1) AS name', [row?.['setting']]);
  const names = files.map(file => String(file['name']).replace(/\.[a-z]+$/, ''));
  const values = PRELOADABLE.filter(name => names.includes(name));
  return (await readSettings(session)).map(setting =>
    OF_LIBRARIES.includes(setting.name) ? {...setting, values} : setting,
  );
}

/** In the order of their names. Values as text and the list as JSON: every session can read these. */
export async function readSettings(session: Session): Promise<EngineSetting[]> {
  const rows = await session.query(
    `SELECT name, context, vartype, unit, min_val, max_val, to_json(enumvals)::text AS enumvals,
            boot_val, category, short_desc
       FROM pg_settings ORDER BY name COLLATE "C"`,
  );
  const settings = rows.map((row): EngineSetting => {
    const text = (column: string): string | null => {
      const value = row[column];
      return typeof value === 'string' ? value : null;
    };
    const type = TYPES.find(each => each === text('vartype'));
    assert(type !== undefined, `a setting has one of the types ${TYPES.join(', ')}`);
    const values: readonly string[] | null = JSON.parse(text('enumvals') ?? 'null');
    return {
      name: text('name') ?? '',
      context: text('context') ?? '',
      type,
      unit: text('unit'),
      min: text('min_val'),
      max: text('max_val'),
      values,
      absent: text('boot_val'),
      category: text('category') ?? '',
      description: text('short_desc') ?? '',
    };
  });
  return [...settings, FORCE_TLS].sort((a, b) => (a.name < b.name ? -1 : 1));
}
