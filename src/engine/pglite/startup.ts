/** The first message of a connection: what it asks for, and with which settings. */
import {
  CANCEL_REQUEST_CODE,
  GSSENC_REQUEST_CODE,
  PROTOCOL_MAJOR,
  ProtocolViolation,
  SSL_REQUEST_CODE,
  readCString,
} from './wire.ts';

export type StartupRequest =
  /** TLS, or GSSAPI encryption, which is answered with N. */
  | {readonly type: 'encryption'; readonly isTls: boolean}
  | {readonly type: 'cancel'; readonly processId: number; readonly secret: Buffer}
  | {readonly type: 'unsupported-version'; readonly major: number; readonly minor: number}
  | {readonly type: 'start'; readonly start: Startup};

export type Startup = {
  readonly minor: number;
  readonly user: string;
  readonly database: string;
  readonly isReplication: boolean;
  /** Settings to begin with, by name. */
  readonly settings: ReadonlyMap<string, string>;
  /** Protocol options (`_pq_.…`), none of which is known. */
  readonly protocolOptions: readonly string[];
};

const CODE_OFFSET = 4;
const BODY_OFFSET = 8;
const NOT_SETTINGS: ReadonlySet<string> = new Set(['user', 'database', 'options', 'replication']);

/** `bytes`: the message with its length and without a type. */
export function readStartup(bytes: Buffer): StartupRequest {
  if (bytes.length < BODY_OFFSET) throw new ProtocolViolation('the startup packet is too short');
  const code = bytes.readUInt32BE(CODE_OFFSET);
  if (code === SSL_REQUEST_CODE || code === GSSENC_REQUEST_CODE) {
    return {type: 'encryption', isTls: code === SSL_REQUEST_CODE};
  }
  if (code === CANCEL_REQUEST_CODE) {
    if (bytes.length <= BODY_OFFSET + 4)
      throw new ProtocolViolation('a cancel request lacks its key');
    return {
      type: 'cancel',
      processId: bytes.readInt32BE(BODY_OFFSET),
      secret: bytes.subarray(BODY_OFFSET + 4),
    };
  }
  const major = code >>> 16;
  const minor = code & 0xffff;
  if (major !== PROTOCOL_MAJOR) return {type: 'unsupported-version', major, minor};
  const parameters = readParameters(bytes);
  const user = parameters.get('user') ?? '';
  const replication = parameters.get('replication') ?? 'false';
  const settings = new Map(parseOptions(parameters.get('options') ?? ''));
  for (const [name, value] of parameters) {
    if (!NOT_SETTINGS.has(name) && !name.startsWith('_pq_.')) settings.set(name, value);
  }
  return {
    type: 'start',
    start: {
      minor,
      user,
      database: parameters.get('database') ?? user,
      isReplication: !['false', 'off', 'no', '0'].includes(replication),
      settings,
      protocolOptions: [...parameters.keys()].filter(name => name.startsWith('_pq_.')),
    },
  };
}

/** `-c a=b --c-d=e\ f` → [['a', 'b'], ['c_d', 'e f']] */
export function parseOptions(options: string): [string, string][] {
  const words = (options.match(/(?:\\.|[^\s\\])+/gs) ?? []).map(word =>
    word.replace(/\\(.)/gs, '$1'),
  );
  const settings: [string, string][] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    let setting: string;
    if (word === '-c') setting = words[++index] ?? '';
    else if (word.startsWith('-c')) setting = word.slice(2);
    else if (word.startsWith('--')) setting = word.slice(2);
    else throw new ProtocolViolation(`the startup option ${word} is not known; -c name=value is`);
    const equals = setting.indexOf('=');
    if (equals < 1) throw new ProtocolViolation(`the startup option ${word} needs name=value`);
    settings.push([setting.slice(0, equals).replaceAll('-', '_'), setting.slice(equals + 1)]);
  }
  return settings;
}

function readParameters(bytes: Buffer): Map<string, string> {
  const parameters = new Map<string, string>();
  let at = BODY_OFFSET;
  while (at < bytes.length && bytes[at] !== 0) {
    const name = readCString(bytes, at);
    const value = readCString(bytes, name.end);
    parameters.set(name.text, value.text);
    at = value.end;
  }
  return parameters;
}
