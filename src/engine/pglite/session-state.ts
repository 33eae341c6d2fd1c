/**
 * What a client's session leaves in the one backend, and what becomes of it when another has its turn.
 *
 *     settings (SET, set_config, SET ROLE)       taken away, and given back at the next turn
 *     protocol-level prepared statements         stay, under names of the client's own
 *     LISTEN                                     the backend listens for all; notifications are passed on
 *     temporary tables, advisory locks, WITH     cannot be taken away: the session is *pinned*, and
 *     HOLD cursors, PREPARE in SQL               others wait until it drops them, ends, or idles too long
 *
 * A look at all that costs about a millisecond, so it is taken only when somebody else wants the engine and
 * the client did something that may have left state: seen in the tag of a command (SET, DO, …) or in
 * its text. What a function does unseen (set_config or a temporary table inside its body) is reset at
 * the next turn of another client: it never leaks, but it may be lost.
 */
import {quoteName, quoteText} from '../postgres/session.ts';
import type {Rows} from '../postgres/session.ts';

/** Tags of commands after which the session's state may have changed. */
const STATE_TAGS: ReadonlySet<string> = new Set([
  'SET',
  'RESET',
  'PREPARE',
  'DEALLOCATE',
  'DEALLOCATE ALL',
  'DISCARD ALL',
  'DISCARD TEMP',
  'DECLARE CURSOR',
  'CLOSE CURSOR',
  'CLOSE CURSOR ALL',
  'DO',
  'CALL',
]);
const STATE_TEXT = /set_config|advisory|\btemp(?:orary)?\b/i;
/** Names of custom settings (`app.tenant`), which pg_settings does not list. */
const CUSTOM_NAME_TEXT = /[a-z_][\w$]*(?:\.[a-z_][\w$]*)+/gi;
const CUSTOM_SETTING_TEXT = /set_config|\bset\s+(?:session\s+)?[a-z_"][\w$"]*\s*\./i;
/** Custom settings of one session that are given back; a text may mention any number of dotted names. */
const CUSTOM_NAMES_MAX = 200;
const CHANNEL_TEXT =
  /\b(?:un)?listen\s+(\*|"(?:[^"]|"")+"|[a-z_\u0080-\uffff][\w$\u0080-\uffff]*)/gi;
/** Tags after which no prepared statement of any client is left in the backend. */
const FORGET_TAGS: ReadonlySet<string> = new Set(['DEALLOCATE ALL', 'DISCARD ALL']);

export class SessionState {
  #settings: Map<string, string>;
  #channels = new Set<string>();
  readonly #customNames = new Set<string>();
  #mentioned: string[] = [];
  /** A named statement whose text may change state runs again without being seen. */
  #alwaysLook = false;
  #look = false;
  #customAreSet = false;
  #pin: string | null = null;
  #wasPinned = false;

  constructor(settings: ReadonlyMap<string, string>) {
    this.#settings = new Map(settings);
  }

  /** State may be there that the next session must not find. */
  get needsInspection(): boolean {
    return this.#look || this.#alwaysLook || this.#pin !== null;
  }

  /** What holds the engine to this session, or null. */
  get pin(): string | null {
    return this.#pin;
  }

  /** Statements prepared in SQL may still lie in the backend. */
  get leavesStatements(): boolean {
    return this.#wasPinned;
  }

  get channels(): ReadonlySet<string> {
    return this.#channels;
  }

  /** A text that is about to run, or to be prepared under a name. */
  noteText(text: string, isNamed: boolean): void {
    if (STATE_TEXT.test(text)) {
      if (isNamed) this.#alwaysLook = true;
      else this.#look = true;
    }
    if (CUSTOM_SETTING_TEXT.test(text)) {
      this.#customAreSet = true;
      this.#noteCustomNames(text);
    }
    const channels = [...text.matchAll(CHANNEL_TEXT)].map(match => channelName(match[1] ?? ''));
    if (channels.length > 0) this.#mentioned = channels;
  }

  /** Parameters of a statement, as bytes: the name of a setting may be among them. */
  noteParameters(text: string): void {
    if (this.#customAreSet) this.#noteCustomNames(text);
  }

  /** A command that has completed. */
  noteTag(tag: string): {forgetsStatements: boolean; changesChannels: boolean} {
    if (STATE_TAGS.has(tag)) this.#look = true;
    const changesChannels = tag === 'LISTEN' || tag === 'UNLISTEN' || tag === 'DISCARD ALL';
    if (tag === 'LISTEN') {
      for (const channel of this.#mentioned) this.#channels.add(channel);
    } else if (tag === 'DISCARD ALL' || (tag === 'UNLISTEN' && this.#mentioned.includes('*'))) {
      this.#channels.clear();
    } else if (tag === 'UNLISTEN') {
      for (const channel of this.#mentioned) this.#channels.delete(channel);
    }
    return {forgetsStatements: FORGET_TAGS.has(tag), changesChannels};
  }

  /** Run as the client itself, whose search path may lead anywhere: it can deceive only itself. */
  inspectionSql(): string {
    const names = [...this.#customNames].map(quoteText).join(', ');
    return `
      SELECT 'setting' AS kind, name, setting FROM pg_catalog.pg_settings
       WHERE source = 'session' AND name NOT IN ('role', 'session_authorization')
      UNION ALL SELECT 'setting', 'role', pg_catalog.current_setting('role')
      UNION ALL SELECT 'setting', name, pg_catalog.current_setting(name, true)
        FROM pg_catalog.unnest(ARRAY[${names}]::pg_catalog.text[]) AS name
       WHERE pg_catalog.current_setting(name, true) <> ''
      UNION ALL SELECT 'pin', 'a temporary table', '' WHERE EXISTS (
        SELECT FROM pg_catalog.pg_class WHERE relnamespace = pg_catalog.pg_my_temp_schema())
      UNION ALL SELECT 'pin', 'an advisory lock', '' WHERE EXISTS (
        SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory')
      UNION ALL SELECT 'pin', 'a prepared statement', '' WHERE EXISTS (
        SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql)
      UNION ALL SELECT 'pin', 'a cursor WITH HOLD', '' WHERE EXISTS (
        SELECT FROM pg_catalog.pg_cursors WHERE is_holdable)`;
  }

  /** Takes what `inspectionSql` found. */
  inspected(rows: Rows): void {
    const pins = rows.filter(row => row['kind'] === 'pin').map(row => String(row['name']));
    this.#pin = pins.length > 0 ? pins.join(' and ') : null;
    this.#wasPinned ||= this.#pin !== null;
    this.#settings = new Map(
      rows
        .filter(row => row['kind'] === 'setting')
        .map(row => [String(row['name']), String(row['setting'])]),
    );
    if (this.#settings.get('role') === 'none') this.#settings.delete('role');
    this.#look = false;
  }

  #noteCustomNames(text: string): void {
    for (const [name] of text.matchAll(CUSTOM_NAME_TEXT)) {
      if (this.#customNames.size < CUSTOM_NAMES_MAX) this.#customNames.add(name);
    }
  }

  /** A statement that gives the session its settings back, or null when it has none. */
  restoreSql(): string | null {
    if (this.#settings.size === 0) return null;
    const calls = [...this.#settings].map(
      ([name, value]) => `pg_catalog.set_config(${quoteText(name)}, ${quoteText(value)}, false)`,
    );
    return `SELECT ${calls.join(', ')}`;
  }
}

/** `LISTEN "Channel"` for each. */
export function listenSql(channels: Iterable<string>): string {
  return [...channels].map(channel => `LISTEN ${quoteName(channel)}`).join('; ');
}

/** An identifier as SQL reads it: folded to lower case unless quoted. */
function channelName(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text.toLowerCase();
}
