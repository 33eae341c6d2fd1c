/** The catalogue of the server's variables: what `information_schema.SYSTEM_VARIABLES` says of each. */
import type {EngineSetting} from '../engine.ts';
import type {Session} from './session.ts';

const TYPES: Readonly<Record<string, EngineSetting['type']>> = {
  BOOLEAN: 'bool',
  ENUM: 'enum',
  INT: 'integer',
  'INT UNSIGNED': 'integer',
  BIGINT: 'integer',
  'BIGINT UNSIGNED': 'integer',
  DOUBLE: 'real',
};

/** In the order of their names, which are in lower case as in option files. */
export async function readSettings(session: Session): Promise<EngineSetting[]> {
  const rows = await session.query(
    `SELECT LOWER(VARIABLE_NAME) AS name, VARIABLE_TYPE AS type, VARIABLE_SCOPE AS scope,
            DEFAULT_VALUE AS absent, NUMERIC_MIN_VALUE AS min, NUMERIC_MAX_VALUE AS max,
            ENUM_VALUE_LIST AS list, READ_ONLY AS read_only, COMMAND_LINE_ARGUMENT AS argument,
            VARIABLE_COMMENT AS description
       FROM information_schema.SYSTEM_VARIABLES ORDER BY name`,
  );
  return rows.map(settingOf);
}

function settingOf(row: Readonly<Record<string, unknown>>): EngineSetting {
  const text = (column: string): string | null => {
    const value = row[column];
    return typeof value === 'string' ? value : null;
  };
  const type = TYPES[text('type') ?? ''] ?? 'string';
  return {
    name: text('name') ?? '',
    context: contextOf(text),
    type,
    unit: null,
    min: text('min'),
    max: text('max'),
    // A set of several is text here; the server itself looks at its words.
    values: type === 'enum' ? (text('list') ?? '').toLowerCase().split(',') : null,
    absent: text('absent'),
    category: '',
    description: text('description') ?? '',
  };
}

/** What no option file can set tells of the server or of one session. */
function contextOf(text: (column: string) => string | null): string {
  if (text('argument') === null || text('scope') === 'SESSION ONLY') return 'internal';
  return text('read_only') === 'YES' ? 'postmaster' : 'superuser';
}
