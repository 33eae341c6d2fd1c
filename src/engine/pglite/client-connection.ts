/**
 * One TCP connection: startup, login by SCRAM-SHA-256 or a client certificate, then a client session.
 *
 *     SSLRequest? ─▶ S, TLS ─▶ StartupMessage ─▶ SASL ─▶ database and settings ─▶ NOTICE, ReadyForQuery ─▶ session
 *
 * An unknown role, one without a password and a wrong password end alike, with 28P01.
 */
import type {Socket} from 'node:net';
import {TLSSocket} from 'node:tls';
import {withDeadline} from '../../base/clock.ts';
import {errorMessage} from '../../base/errors.ts';
import type {Logger} from '../../base/log.ts';
import {adminSession} from './admin-session.ts';
import {ClientSession, SessionRefused} from './client-session.ts';
import type {EngineLink} from './engine-link.ts';
import {LIMITS_NOTICE, REPORTED_SETTINGS, wantsNotices} from './greeting.ts';
import {BOOTSTRAP_OID} from './identity.ts';
import {lookUpDatabase, lookUpRole} from './role-lookup.ts';
import {ScramServer} from './scram-server.ts';
import {readStartup} from './startup.ts';
import type {Startup, StartupRequest} from './startup.ts';
import {
  certifiedRole,
  secureSocket,
  speaksProtocol,
  TLS_HANDSHAKE_BYTE,
  type ServerTls,
} from './tls-server.ts';
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

export type ConnectionOptions = {
  readonly id: number;
  readonly secret: Buffer;
  readonly link: EngineLink;
  readonly turns: Turns;
  readonly log: Logger;
  /** Null: TLS is declined. */
  readonly tls: ServerTls | null;
  /** Refuse a login without TLS. */
  readonly isTlsForced: boolean;
  readonly onCancel: (processId: number, secret: Buffer) => void;
};

export class ClientConnection {
  readonly id: number;
  readonly secret: Buffer;
  /** The TLS over the connection once there is one. */
  #socket: Socket;
  #hasBegun = false;
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
    this.#listen(socket);
    void this.#run();
  }

  #listen(socket: Socket): void {
    socket.on('data', bytes => this.#receive(bytes));
    socket.on('error', error => {
      this.#options.log.debug({error: error.message}, 'connection error');
      socket.destroy();
    });
    socket.on('close', () => this.#closed());
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
          this.#answerEncryption(request.isTls);
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

  #answerEncryption(isTls: boolean): void {
    const {tls} = this.#options;
    if (isTls && tls !== null && !this.#isSecure) {
      // What came with the request was not protected, and must not pass for what was.
      if (!this.#reader.isEmpty) throw new ProtocolViolation('data came before the TLS handshake');
      this.#socket.write('S');
      this.#secure(tls);
      return;
    }
    this.#socket.write('N');
    this.#moreUntyped();
  }

  get #isSecure(): boolean {
    return this.#socket instanceof TLSSocket;
  }

  #secure(tls: ServerTls): TLSSocket {
    this.#socket.removeAllListeners('data');
    const secure = secureSocket(this.#socket, tls);
    this.#socket = secure;
    this.#listen(secure);
    return secure;
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
    if (this.#options.isTlsForced && !this.#isSecure) {
      throw new SessionRefused(
        fatal('28000', `user "${startup.user}" must connect with TLS: rds.force_ssl is on`),
      );
    }
    if (role?.isTokenUser === true) this.#requireCertificate(startup.user);
    else await this.#authenticate(startup.user, role?.verifier ?? null);
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

  #requireCertificate(user: string): void {
    if (certifiedRole(this.#socket, this.#options.tls) === user) return;
    throw new SessionRefused({
      ...fatal('28000', 'connection requires a valid client certificate'),
      hint: `Members of rds_iam log in at the cluster endpoint, by TLS and a token of generate-db-auth-token.`,
    });
  }

  async #authenticate(user: string, verifier: string | null): Promise<void> {
    const {tls} = this.#options;
    const certificateHash = this.#isSecure ? (tls?.certificateHash ?? null) : null;
    const scram = new ScramServer(user, verifier, certificateHash);
    const offered = scram.mechanisms.map(cString);
    this.#socket.write(authentication(AUTHENTICATION_SASL, ...offered, Buffer.alloc(1)));
    const initial = await this.#nextPassword();
    const mechanism = readCString(initial, HEADER_BYTES);
    const first = scram.first(mechanism.text, initial.toString('utf8', mechanism.end + 4));
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
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      if (bytes[0] === TLS_HANDSHAKE_BYTE && this.#beginDirectTls(bytes)) return;
    }
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

  /** False when there is no TLS: then the bytes are a malformed startup packet. */
  #beginDirectTls(bytes: Buffer): boolean {
    const {tls} = this.#options;
    if (tls === null) return false;
    this.#socket.pause();
    this.#socket.unshift(bytes);
    const secure = this.#secure(tls);
    secure.once('secure', () => {
      if (!speaksProtocol(secure)) secure.destroy();
    });
    return true;
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

function authentication(code: number, ...parts: readonly Buffer[]): Buffer {
  return message(BackendType.authentication, int32(code), ...parts);
}

function fatal(code: string, text: string): Report {
  return {severity: 'FATAL', code, message: text};
}
