import {describe, expect, test} from 'vitest';
import {MANAGED_SETTINGS} from './managed-settings.ts';
import {
  configurationFiles,
  hbaText,
  OWN_SETTINGS,
  settingsText as textOf,
  type SettingsInput,
} from './settings.ts';

const INPUT: SettingsInput = {
  port: 5433,
  socketDirectory: "/it's/here",
  syncedBy: 'volume',
  doors: 'open',
  replication: {role: 'alone'},
  tls: null,
  parameters: {},
};
const settingsText = (input: SettingsInput): string => textOf(input, configurationFiles('/config'));

function settings(more: Partial<SettingsInput>): Map<string, string> {
  const lines = settingsText({...INPUT, ...more})
    .trimEnd()
    .split('\n');
  return new Map(
    lines.map(line => {
      const [name = '', value = ''] = line.split(' = ', 2);
      return [name, value];
    }),
  );
}

describe('the settings', () => {
  test('quote what needs quotes', () => {
    expect(settings({}).get('unix_socket_directories')).toBe("'/it''s/here'");
  });

  test("take the parameter group's values over Borealis's own, in any case", () => {
    expect(settings({parameters: {MAX_connections: '7'}}).get('max_connections')).toBe("'7'");
  });

  test('keep what the volume rests on whatever the parameter group says', () => {
    const parameters = {fsync: 'off', full_page_writes: 'off', wal_recycle: 'on', port: '1'};
    const result = settings({parameters});
    expect(result.get('fsync')).toBe("'on'");
    expect(result.get('full_page_writes')).toBe("'on'");
    expect(result.get('wal_recycle')).toBe("'off'");
    expect(result.get('port')).toBe("'5433'");
  });

  test('name preloaded libraries by their directory', () => {
    const parameters = {shared_preload_libraries: 'pg_stat_statements, /opt/x'};
    expect(settings({parameters}).get('shared_preload_libraries')).toBe(
      "'$libdir/pg_stat_statements,/opt/x'",
    );
  });

  test('of a writer with readers keep some WAL, and those of a reader have no secret', () => {
    expect(settings({}).get('wal_keep_size')).toBe("'0'");
    expect(settings({replication: {role: 'source'}}).get('wal_keep_size')).toBe("'128MB'");
    const reader = settings({replication: {role: 'reader', port: 7, passFile: '/mnt/pass'}});
    expect(reader.get('fsync')).toBe("'off'");
    expect(
      settingsText({...INPUT, replication: {role: 'reader', port: 7, passFile: '/p'}}),
    ).toMatch(/^primary_conninfo = 'host=127\.0\.0\.1 port=7 user=rdsrepladmin passfile=\/p /m);
  });

  test.each<Record<string, string>>([
    {'a b': '1'},
    {'x;y': '1'},
    {work_mem: "1'\nfsync = off"},
    {include: '\0'},
  ])('refuse %j', parameters => {
    expect(() => settings({parameters})).toThrow(/must be a setting's name/);
  });

  test('let no replication worker load its library while the doors are closed', () => {
    expect(settings({doors: 'closed'}).get('dynamic_library_path')).toBe("'/nonexistent'");
    expect(settings({doors: 'open'}).get('dynamic_library_path')).toBe("'$libdir'");
  });
});

test('every setting that is fixed is refused to parameter groups with a reason', () => {
  const own = Object.keys(OWN_SETTINGS);
  const fixed = [...settings({}).keys()].filter(name => !own.includes(name));
  expect(fixed.length).toBeGreaterThan(10);
  expect(fixed.filter(name => !(name in MANAGED_SETTINGS))).toEqual([]);
});

test('closed doors let in nobody but our own role, over the socket', () => {
  expect(hbaText({...INPUT, doors: 'closed'})).toBe('local all rdsadmin trust\n');
});

test('open doors let in every role but ours, with its password, from this machine', () => {
  expect(hbaText(INPUT).split('\n').slice(1)).toEqual([
    'host all rdsadmin all reject',
    'host replication rdsrepladmin 127.0.0.1/32 scram-sha-256',
    'host all rdsrepladmin all reject',
    'host all +rds_superuser 127.0.0.0/8 scram-sha-256',
    'host all +rds_iam all reject',
    'host all all 127.0.0.0/8 scram-sha-256',
    '',
  ]);
});

describe('with TLS', () => {
  const tls = {certificate: 'C', key: 'K', clientAuthority: 'A'};

  test('members of rds_iam show a certificate, and nothing else lets them in', () => {
    const lines = hbaText({...INPUT, tls}).split('\n');
    expect(lines.slice(4, 7)).toEqual([
      'host all +rds_superuser 127.0.0.0/8 scram-sha-256',
      'hostssl all +rds_iam 127.0.0.0/8 cert',
      'host all +rds_iam all reject',
    ]);
  });

  test.each(['1', 'on', 'TRUE'])('rds.force_ssl = %s leaves no password without it', value => {
    const text = hbaText({...INPUT, tls, parameters: {'rds.force_ssl': value}});
    const passwords = text.split('\n').filter(line => line.endsWith('scram-sha-256'));
    expect(passwords.map(line => line.split(' ', 3).join(' '))).toEqual([
      'host replication rdsrepladmin',
      'hostssl all +rds_superuser',
      'hostssl all all',
    ]);
    expect(hbaText({...INPUT, tls, parameters: {'rds.force_ssl': '0'}})).toBe(
      hbaText({...INPUT, tls}),
    );
  });

  test('the files are ours whatever the parameter group says', () => {
    const result = settings({tls, parameters: {ssl: 'off', ssl_key_file: '/etc/passwd'}});
    expect(result.get('ssl')).toBe("'on'");
    expect(result.get('ssl_key_file')).toBe("'/config/server.key'");
    expect(settings({}).get('ssl')).toBe("'off'");
  });
});
