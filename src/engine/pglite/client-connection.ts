/**
 * One TCP connection: startup, login by SCRAM-SHA-256, then a client session.
 *
 *     SSLRequest? ─▶ N ─▶ StartupMessage ─▶ SASL ─▶ database and settings ─▶ NOTICE, ReadyForQuery ─▶ session
 *
 * An unknown role, one without a password and a wrong password end alike, with 28P01.
 */
import type {Socket} from 'node:net';
import {withDeadline} from '../../base/clock.ts';
import {errorMessage} from '../../base/errors.ts';
import type {Logger} from '../../base/log.ts';
import {adminSession} from './admin-session.ts';
import {ClientSession, SessionRefused} from './client-session.ts';
import type {EngineLink} from './engine-link.ts';
import {BOOTSTRAP_OID} from './identity.ts';
import {lookUpDatabase, lookUpRole} from './role-lookup.ts';
import {SCRAM_MECHANISM, ScramServer} from './scram-server.ts';
import {readStartup} from './startup.ts';
import type {Startup, StartupRequest} from './startup.ts';
import type {Turns} from './turns.ts';
import {
  BackendType,
  FrontendType,
  HEADER_BYTES,
  MessageReader,
  ProtocolViolation,
  cString,
  int32,
  message,
  parameterStatus,
  readCString,
  readyForQuery,
  reportMessage,
} from './wire.ts';
import type {Message, Report} from './wire.ts';

/** PostgreSQL's MAX_STARTUP_PACKET_LENGTH; a SASL message is shorter. */
const LOGIN_MESSAGE_BYTES_MAX = 10_000;
/** A statement or one message of COPY data. It is held in memory three times on its way. */
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;
/** PostgreSQL's default authentication_timeout. */
const LOGIN_TIMEOUT_MS = 60_000;
const AUTHENTICATION_OK = 0;
const AUTHENTICATION_SASL = 10;
const AUTHENTICATION_SASL_CONTINUE = 11;
const AUTHENTICATION_SASL_FINAL = 12;

/** What PostgreSQL 18 reports of itself (GUC_REPORT). */
const REPORTED_SETTINGS: readonly string[] = [
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

const LIMITS_NOTICE: Report = {
  severity: 'NOTICE',
  code: '00000',
  message: 'this is PGlite, PostgreSQL in WebAssembly: one session at a time, no replication',
  detail:
    'A transaction of another session makes this one wait. Temporary tables, advisory locks, WITH HOLD cursors and PREPARE in SQL make the others wait.',
};

export type ConnectionOptions = {
  readonly id: number;
  readonly secret: Buffer;
  readonly link: EngineLink;
  readonly turns: Turns;
  readonly log: Logger;
  readonly onCancel: (processId: number, secret: Buffer) => void;
};

export class ClientConnection {
  readonly id: number;
  readonly secret: Buffer;
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #reader = new MessageReader({
    bytesMax: LOGIN_MESSAGE_BYTES_MAX,
    startsUntyped: true,
  });
  /** Messages that came before anyone asked for them. */
  #inbox: Message[] = [];
  #awaiting: {resolve: (received: Message) => void; reject: (error: Error) => void} | null = null;
  #session: ClientSession | null = null;
  #isLoggedIn = false;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.id = options.id;
    this.secret = options.secret;
    this.#socket = socket;
    this.#options = options;
    socket.setNoDelay(true);
    socket.on('data', bytes => this.#receive(bytes));
    socket.on('error', error => options.log.debug({error: error.message}, 'connection error'));
    socket.on('close', () => this.#closed());
    void this.#run();
  }

  /** The session after its login, or null. */
  get session(): ClientSession | null {
    return this.#session;
  }

  end(report: Report): void {
    if (this.#socket.writable) this.#socket.end(reportMessage(report));
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async #run(): Promise<void> {
    try {
      const startup = await withDeadline(
        this.#startup(),
        LOGIN_TIMEOUT_MS,
        () => new SessionRefused(fatal('57P05', 'the login took too long')),
      );
      if (startup === null) return;
      await withDeadline(
        this.#logIn(startup),
        LOGIN_TIMEOUT_MS,
        () =>
          new SessionRefused({
            ...fatal(
              '53300',
              `the engine was busy with other sessions for ${LOGIN_TIMEOUT_MS / 1000} s`,
            ),
            hint: 'PGlite runs one session at a time. Try again later.',
          }),
      );
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** The startup message, or null when the connection was for something else. */
  async #startup(): Promise<Startup | null> {
    for (;;) {
      const request: StartupRequest = readStartup((await this.#next()).bytes);
      switch (request.type) {
        case 'encryption':
          this.#socket.write('N');
          this.#moreUntyped();
          break;
        case 'cancel':
          this.#options.onCancel(request.processId, request.secret);
          this.#socket.end();
          return null;
        case 'unsupported-version':
          throw new SessionRefused(
            fatal(
              '0A000',
              `unsupported frontend protocol ${request.major}.${request.minor}: server supports 3.0`,
            ),
          );
        case 'start':
          this.#reader.expectTyped();
          return request.start;
      }
    }
  }

  async #logIn(startup: Startup): Promise<void> {
    const {turns, link} = this.#options;
    if (startup.user === '') {
      throw new SessionRefused(
        fatal('28000', 'no PostgreSQL user name specified in startup packet'),
      );
    }
    if (startup.isReplication) {
      throw new SessionRefused(fatal('0A000', 'PGlite has no replication'));
    }
    this.#negotiate(startup);
    const role = await turns.admin(exchange => lookUpRole(adminSession(exchange), startup.user));
    if (role?.oid === BOOTSTRAP_OID) {
      throw new SessionRefused(fatal('28000', `role "${startup.user}" takes no connections`));
    }
    await this.#authenticate(startup.user, role?.verifier ?? null);
    if (role?.canLogin !== true) {
      throw new SessionRefused(fatal('28000', `role "${startup.user}" is not permitted to log in`));
    }
    const settings = await this.#admit(startup, role.oid);
    const session = new ClientSession({
      id: this.id,
      identity: {name: startup.user, oid: role.oid},
      settings,
      socket: this.#socket,
      turns,
      link,
    });
    this.#session = session;
    const reported = await session.start(REPORTED_SETTINGS);
    this.#reader.allow(MESSAGE_BYTES_MAX);
    this.#socket.write(
      Buffer.concat([
        authentication(AUTHENTICATION_OK),
        ...[...reported].map(([name, value]) => parameterStatus(name, value)),
        message(BackendType.backendKeyData, int32(this.id), this.secret),
        ...(wantsNotices(startup) ? [reportMessage(LIMITS_NOTICE)] : []),
        readyForQuery('I'),
      ]),
    );
    this.#isLoggedIn = true;
    const early = this.#inbox;
    this.#inbox = [];
    session.receive(early);
  }

  /** A later minor version and protocol options are answered with what there is: 3.0 and none. */
  #negotiate({minor, protocolOptions}: Startup): void {
    if (minor === 0 && protocolOptions.length === 0) return;
    this.#socket.write(
      message(
        BackendType.negotiateProtocolVersion,
        int32(0),
        int32(protocolOptions.length),
        ...protocolOptions,
      ),
    );
  }

  async #authenticate(user: string, verifier: string | null): Promise<void> {
    const scram = new ScramServer(user, verifier);
    this.#socket.write(
      authentication(AUTHENTICATION_SASL, cString(SCRAM_MECHANISM), Buffer.alloc(1)),
    );
    const initial = await this.#nextPassword();
    const mechanism = readCString(initial, HEADER_BYTES);
    if (mechanism.text !== SCRAM_MECHANISM) {
      throw new ProtocolViolation(`SASL mechanism ${mechanism.text} was not offered`);
    }
    const first = scram.first(initial.toString('utf8', mechanism.end + 4));
    this.#socket.write(authentication(AUTHENTICATION_SASL_CONTINUE, Buffer.from(first)));
    const proof = await this.#nextPassword();
    const final = scram.final(proof.toString('utf8', HEADER_BYTES));
    if (final === null) {
      throw new SessionRefused(fatal('28P01', `password authentication failed for user "${user}"`));
    }
    this.#socket.write(authentication(AUTHENTICATION_SASL_FINAL, Buffer.from(final)));
  }

  /** Checks the database and returns the settings that the session begins with. */
  async #admit(startup: Startup, roleOid: number): Promise<Map<string, string>> {
    const {database} = startup;
    const found = await this.#options.turns.admin(exchange =>
      lookUpDatabase(adminSession(exchange), database, roleOid),
    );
    if (!found.exists) {
      throw new SessionRefused(fatal('3D000', `database "${database}" does not exist`));
    }
    if (found.served !== database) {
      throw new SessionRefused({
        ...fatal('3D000', `database "${database}" cannot be connected to`),
        detail: `PGlite opens one database an instance, here "${found.served}".`,
      });
    }
    if (!found.mayConnect) {
      throw new SessionRefused({
        ...fatal('42501', `permission denied for database "${database}"`),
        detail: 'User does not have CONNECT privilege.',
      });
    }
    return new Map([...found.settings, ...startup.settings]);
  }

  async #nextPassword(): Promise<Buffer> {
    const {type, bytes} = await this.#next();
    if (type !== FrontendType.password) {
      throw new ProtocolViolation(`expected a SASL response, got message type ${type}`);
    }
    return bytes;
  }

  #next(): Promise<Message> {
    const first = this.#inbox.shift();
    if (first !== undefined) return Promise.resolve(first);
    return new Promise((resolve, reject) => {
      this.#awaiting = {resolve, reject};
    });
  }

  #receive(bytes: Buffer): void {
    try {
      const messages = this.#reader.push(bytes);
      if (this.#isLoggedIn) {
        this.#session?.receive(messages);
        return;
      }
      this.#inbox.push(...messages);
      const awaiting = this.#awaiting;
      const first = awaiting === null ? undefined : this.#inbox.shift();
      if (awaiting === null || first === undefined) return;
      this.#awaiting = null;
      awaiting.resolve(first);
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** A second untyped message may have come with the first. */
  #moreUntyped(): void {
    this.#inbox.push(...this.#reader.push(Buffer.alloc(0)));
  }

  #refuse(error: unknown): void {
    if (this.#socket.destroyed) return;
    if (error instanceof SessionRefused) this.end(error.report);
    else if (error instanceof ProtocolViolation) this.end(fatal('08P01', error.message));
    else {
      this.#options.log.warn({error: errorMessage(error)}, 'a login failed');
      this.end(fatal('57P03', 'the engine is not available'));
    }
    this.#session?.leave();
  }

  #closed(): void {
    this.#awaiting?.reject(new Error('the client has gone'));
    this.#session?.leave();
  }
}

/** `client_min_messages` above notice, given at startup, is respected. */
function wantsNotices(startup: Startup): boolean {
  const level = startup.settings.get('client_min_messages')?.toLowerCase() ?? 'notice';
  return !['warning', 'error', 'fatal', 'panic'].includes(level);
}

function authentication(code: number, ...parts: readonly Buffer[]): Buffer {
  return message(BackendType.authentication, int32(code), ...parts);
}

function fatal(code: string, text: string): Report {
  return {severity: 'FATAL', code, message: text};
}
