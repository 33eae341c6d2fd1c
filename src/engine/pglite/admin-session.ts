/**
 * Our own statements as the bootstrap superuser: the same `Session` that the native engine's roles and
 * databases are made through, over the one backend.
 */
import {assert} from '../../base/assert.ts';
import {BorealisError} from '../../base/errors.ts';
import type {Rows, Session} from '../postgres/session.ts';
import {
  BackendType,
  FrontendType,
  HEADER_BYTES,
  MessageReader,
  SYNC_MESSAGE,
  cString,
  int32,
  message,
  readCString,
  readDataRow,
  readReport,
} from './wire.ts';

const ROW_DESCRIPTION = 0x54;
/** Bytes of a RowDescription's field after its name: table, column, type, size, modifier, format. */
const FIELD_TAIL_BYTES = 18;
const ANSWER_BYTES_MAX = 2 ** 30;

/** Sends messages to the engine, when it is free, and returns what it answers. */
export type Exchange = (messages: Buffer) => Promise<Buffer>;

/** Every value comes back as text or null; `values` must be text, numbers or null. */
export function adminSession(exchange: Exchange): Session {
  return {
    query: async (sql, values = []) => {
      const answer = await exchange(Buffer.concat([extendedQuery(sql, values), SYNC_MESSAGE]));
      const error = firstReport(answer);
      if (error !== undefined) {
        // Only the first words: what follows may be a verifier.
        const verb = sql.trim().split(/\s+/, 2).join(' ');
        throw new BorealisError(
          'internal',
          'engine-statement',
          `the engine refused ${verb} …: ${error['M'] ?? 'unknown error'}`,
        );
      }
      return readRows(answer);
    },
  };
}

/** Parse, Bind, Describe and Execute of the unnamed statement, in text format. */
export function extendedQuery(sql: string, values: readonly unknown[]): Buffer {
  const parameters = values.map(value => {
    if (value === null) return int32(-1);
    assert(typeof value === 'string' || typeof value === 'number', 'a value is text or a number');
    const text = Buffer.from(String(value), 'utf8');
    return Buffer.concat([int32(text.length), text]);
  });
  return Buffer.concat([
    message(FrontendType.parse, '', sql, int16(0)),
    message(FrontendType.bind, '', '', int16(0), int16(values.length), ...parameters, int16(0)),
    message(FrontendType.describe, Buffer.from('P'), cString('')),
    message(FrontendType.execute, '', int32(0)),
  ]);
}

/** The fields of the first ErrorResponse, by their letters. */
export function firstReport(answer: Buffer): Readonly<Record<string, string>> | undefined {
  const error = split(answer).find(({type}) => type === BackendType.errorResponse);
  return error === undefined ? undefined : readReport(error.bytes);
}

export function readRows(answer: Buffer): Rows {
  let names: string[] = [];
  const rows: Record<string, unknown>[] = [];
  for (const {type, bytes} of split(answer)) {
    if (type === ROW_DESCRIPTION) names = readColumnNames(bytes);
    if (type !== BackendType.dataRow) continue;
    const values = readDataRow(bytes);
    rows.push(Object.fromEntries(names.map((name, index) => [name, values[index] ?? null])));
  }
  return rows;
}

function split(answer: Buffer): ReturnType<MessageReader['push']> {
  return new MessageReader({bytesMax: ANSWER_BYTES_MAX, startsUntyped: false}).push(answer);
}

function readColumnNames(bytes: Buffer): string[] {
  const names: string[] = [];
  let at = HEADER_BYTES + 2;
  for (let left = bytes.readUInt16BE(HEADER_BYTES); left > 0; left--) {
    const {text, end} = readCString(bytes, at);
    names.push(text);
    at = end + FIELD_TAIL_BYTES;
  }
  return names;
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}
