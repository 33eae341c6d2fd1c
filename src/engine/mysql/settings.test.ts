import {describe, expect, test} from 'vitest';
import {literal} from './configure.ts';
import {MANAGED_SETTINGS} from './managed-settings.ts';
import {fixedSettings, OWN_SETTINGS, settingsText, type SettingsInput} from './settings.ts';

const PLACE = {
  files: '/v/mysql',
  temporary: '/v/tmp',
  configDirectory: '/e/config',
  socket: '/e/socket/mysql.sock',
};
const WRITER: SettingsInput = {port: 3306, serverId: 7, role: 'writer', parameters: {}};

describe('the option file', () => {
  test('lets parameters go over what the server begins with, and not over what is fixed', () => {
    const parameters = {MAX_CONNECTIONS: '20', sync_binlog: '0', general_log: 'ON'};
    const text = settingsText(PLACE, {...WRITER, parameters});
    expect(text).toContain('max_connections = "20"\n');
    expect(text).toContain('general_log = "ON"\n');
    expect(text).toContain('sync_binlog = "1"\n');
    expect(text.match(/^sync_binlog/gm)).toHaveLength(1);
  });

  test('quotes what an option file would take for something else', () => {
    const parameters = {init_connect: String.raw`SET @a = "x#y\z"`};
    expect(settingsText(PLACE, {...WRITER, parameters})).toContain(
      String.raw`init_connect = "SET @a = \"x#y\\z\""`,
    );
  });

  test.each([
    [{'max connections': '1'}, /max connections/],
    [{'a=b': '1'}, /a=b/],
    [{sql_mode: 'x\nport=1'}, /sql_mode/],
  ])('refuses parameters that are more than one line: %j', (parameters, message) => {
    expect(() => settingsText(PLACE, {...WRITER, parameters})).toThrow(message);
  });

  test('of a reader makes it read-only, without events, and follows nobody by itself', () => {
    const text = settingsText(PLACE, {...WRITER, role: 'reader'});
    for (const line of ['read_only = "ON"', 'event_scheduler = "OFF"', 'skip_slave_start = "ON"']) {
      expect(text).toContain(line);
    }
  });

  test('gives the time zone by the name that its option has', () => {
    expect(settingsText(PLACE, WRITER)).toContain('default_time_zone = "+00:00"');
  });
});

test('what is fixed for a writer cannot be set by a group, and says why', () => {
  const names = Object.keys(fixedSettings(PLACE, WRITER));
  expect(names.filter(name => MANAGED_SETTINGS[name] === undefined)).toEqual([]);
});

test('what a server begins with can be set by a group', () => {
  expect(Object.keys(OWN_SETTINGS).filter(name => name in MANAGED_SETTINGS)).toEqual([]);
});

test.each([
  ['150', '150'],
  ['0.5', '0.5'],
  ['-1', '-1'],
  ['128M', '134217728'],
  ['ON', "'ON'"],
  ["it's", "'it''s'"],
  [undefined, 'DEFAULT'],
])('the value %j of a variable is written as %s', (value, text) => {
  expect(literal(value)).toBe(text);
});
