/**
 * The messages of PostgreSQL's wire protocol 3.0, as the server's side needs them.
 *
 *     ┌──────┬────────────┬─────────┐
 *     │ type │ length u32 │ body    │   length counts itself and the body, not the type;
 *     └──────┴────────────┴─────────┘   the first message of a connection has no type
 *
 * Most bytes pass through unread; what Borealis reads or writes itself is below.
 * Source: https://www.postgresql.org/docs/18/protocol-message-formats.html
 */

export const HEADER_BYTES = 5;
export const PROTOCOL_MAJOR = 3;
export const CANCEL_REQUEST_CODE = 80_877_102;
export const SSL_REQUEST_CODE = 80_877_103;
export const GSSENC_REQUEST_CODE = 80_877_104;

/** Type bytes from a client. */
export const FrontendType = {
  bind: 0x42,
  close: 0x43,
  copyData: 0x64,
  copyDone: 0x63,
  copyFail: 0x66,
  describe: 0x44,
  execute: 0x45,
  flush: 0x48,
  functionCall: 0x46,
  parse: 0x50,
  password: 0x70,
  query: 0x51,
  sync: 0x53,
  terminate: 0x58,
} as const;

/** Type bytes from the server. */
export const BackendType = {
  authentication: 0x52,
  backendKeyData: 0x4b,
  commandComplete: 0x43,
  copyInResponse: 0x47,
  dataRow: 0x44,
  errorResponse: 0x45,
  negotiateProtocolVersion: 0x76,
  noticeResponse: 0x4e,
  notificationResponse: 0x41,
  parameterStatus: 0x53,
  readyForQuery: 0x5a,
} as const;

/** A message whole: `bytes` with its header, `type` its first byte. */
export type Message = {readonly type: number; readonly bytes: Buffer};

/** Severity, SQLSTATE and text of an ErrorResponse or NoticeResponse. */
export type Report = {
  readonly severity: 'ERROR' | 'FATAL' | 'NOTICE' | 'WARNING';
  readonly code: string;
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
};

export function message(type: number, ...parts: readonly (string | Buffer)[]): Buffer {
  const body = Buffer.concat(parts.map(part => (typeof part === 'string' ? cString(part) : part)));
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(type);
  header.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

export function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`, 'utf8');
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

export function reportMessage(report: Report): Buffer {
  const type =
    report.severity === 'ERROR' || report.severity === 'FATAL'
      ? BackendType.errorResponse
      : BackendType.noticeResponse;
  const fields = [
    `S${report.severity}`,
    `V${report.severity}`,
    `C${report.code}`,
    `M${report.message}`,
    ...(report.detail === undefined ? [] : [`D${report.detail}`]),
    ...(report.hint === undefined ? [] : [`H${report.hint}`]),
  ];
  return message(type, ...fields, Buffer.alloc(1));
}

/** `status`: I idle, T in a transaction, E in a failed transaction. */
export function readyForQuery(status: 'I' | 'T' | 'E'): Buffer {
  return message(BackendType.readyForQuery, Buffer.from(status, 'latin1'));
}

export function parameterStatus(name: string, value: string): Buffer {
  return message(BackendType.parameterStatus, name, value);
}

export function queryMessage(sql: string): Buffer {
  return message(FrontendType.query, sql);
}

export const SYNC_MESSAGE: Buffer = message(FrontendType.sync);

/** The fields of an ErrorResponse or NoticeResponse by their one-letter names. */
export function readReport(bytes: Buffer): Readonly<Record<string, string>> {
  const fields: Record<string, string> = {};
  let at = HEADER_BYTES;
  while (at < bytes.length && bytes[at] !== 0) {
    const field = readCString(bytes, at + 1);
    fields[String.fromCharCode(bytes.readUInt8(at))] = field.text;
    at = field.end;
  }
  return fields;
}

/** An ErrorResponse or NoticeResponse with each field's text passed through `change`. */
export function changeReport(bytes: Buffer, change: (text: string) => string): Buffer {
  const fields = Object.entries(readReport(bytes)).map(([name, text]) => `${name}${change(text)}`);
  return message(bytes.readUInt8(0), ...fields, Buffer.alloc(1));
}

/** The text at `offset` up to its zero byte, and the offset after that byte. */
export function readCString(bytes: Buffer, offset: number): {text: string; end: number} {
  const zero = bytes.indexOf(0, offset);
  if (zero < 0) throw new ProtocolViolation('a string lacks its terminating zero');
  return {text: bytes.toString('utf8', offset, zero), end: zero + 1};
}

/** The columns of a DataRow in text format; null for SQL's null. */
export function readDataRow(bytes: Buffer): (string | null)[] {
  const columns: (string | null)[] = [];
  let at = HEADER_BYTES + 2;
  for (let left = bytes.readUInt16BE(HEADER_BYTES); left > 0; left--) {
    const length = bytes.readInt32BE(at);
    at += 4;
    columns.push(length < 0 ? null : bytes.toString('utf8', at, at + length));
    at += Math.max(length, 0);
  }
  return columns;
}

/** The client broke the protocol: its connection ends with SQLSTATE 08P01. */
export class ProtocolViolation extends Error {
  override readonly name = 'ProtocolViolation';
}

/**
 * Cuts a byte stream into messages. Bytes of a message that has not come whole are kept in pieces and
 * joined once, so that a large message costs one copy however small the pieces are.
 */
export class MessageReader {
  #bytesMax: number;
  #pieces: Buffer[] = [];
  #pieceBytes = 0;
  /** Bytes that must be there before looking again. */
  #needed: number;
  /** 0 while the stream's next message is an untyped one (the start of a connection). */
  #typeBytes: 0 | 1;

  constructor(options: {bytesMax: number; startsUntyped: boolean}) {
    this.#bytesMax = options.bytesMax;
    this.#typeBytes = options.startsUntyped ? 0 : 1;
    this.#needed = this.#typeBytes + 4;
  }

  /** No byte waits for the rest of its message. */
  get isEmpty(): boolean {
    return this.#pieceBytes === 0;
  }

  /** From the next message on, messages have a type byte. */
  expectTyped(): void {
    this.#typeBytes = 1;
    this.#needed = HEADER_BYTES;
  }

  /** From the next message on, messages may be this large. */
  allow(bytesMax: number): void {
    this.#bytesMax = bytesMax;
  }

  /**
   * Takes bytes (possibly none) and returns the messages that are whole now. An untyped stream
   * returns at most one, so that the caller can say what follows and push nothing to go on; `type`
   * is 0 then, and the bytes begin with the length.
   */
  push(bytes: Buffer): Message[] {
    if (bytes.length > 0) this.#pieces.push(bytes);
    this.#pieceBytes += bytes.length;
    const messages: Message[] = [];
    while (this.#pieceBytes >= this.#needed) {
      const joined = this.#joined();
      const length = this.#typeBytes + joined.readUInt32BE(this.#typeBytes);
      if (length < this.#typeBytes + 4 || length > this.#bytesMax) {
        throw new ProtocolViolation(
          `a message of ${length} bytes; from ${this.#typeBytes + 4} to ${this.#bytesMax} are allowed`,
        );
      }
      if (joined.length < length) {
        this.#needed = length;
        break;
      }
      messages.push({
        type: this.#typeBytes === 0 ? 0 : joined.readUInt8(0),
        bytes: joined.subarray(0, length),
      });
      this.#keep(joined.subarray(length));
      if (this.#typeBytes === 0) break;
    }
    return messages;
  }

  #joined(): Buffer {
    const [first] = this.#pieces;
    if (this.#pieces.length === 1 && first !== undefined) return first;
    const joined = Buffer.concat(this.#pieces, this.#pieceBytes);
    this.#pieces = [joined];
    return joined;
  }

  #keep(rest: Buffer): void {
    this.#pieces = rest.length === 0 ? [] : [rest];
    this.#pieceBytes = rest.length;
    this.#needed = this.#typeBytes + 4;
  }
}
