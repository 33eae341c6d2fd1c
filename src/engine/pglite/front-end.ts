/** The TCP server on a loopback port: accepts clients up to a limit and finds whose statement to cancel. */
import {randomBytes, timingSafeEqual} from 'node:crypto';
import {createServer} from 'node:net';
import type {Server, Socket} from 'node:net';
import {after} from '../../base/clock.ts';
import {BorealisError} from '../../base/errors.ts';
import type {Logger} from '../../base/log.ts';
import {ClientConnection} from './client-connection.ts';
import type {EngineTls} from '../engine.ts';
import type {EngineLink} from './engine-link.ts';
import {serverTls, type ServerTls} from './tls-server.ts';
import type {Turns} from './turns.ts';
import {reportMessage} from './wire.ts';
import type {Report} from './wire.ts';

/** As PostgreSQL's default max_connections. Each costs buffers here, nothing in the engine. */
const CLIENTS_MAX = 100;
const SECRET_BYTES = 4;
/** From the reason told to a client to the end of its connection. */
const LAST_WORD_MAX_MS = 500;
const LOOPBACK = '127.0.0.1';

export type FrontEndOptions = {
  readonly link: EngineLink;
  readonly turns: Turns;
  readonly log: Logger;
  readonly tls: EngineTls | null;
  readonly isTlsForced: boolean;
};

export class FrontEnd {
  readonly #server: Server;
  readonly #connections = new Map<number, ClientConnection>();
  readonly #options: FrontEndOptions;
  /** Told to clients as a process id; the backend itself has but one. */
  #nextId = 1;
  #tls: ServerTls | null;

  private constructor(options: FrontEndOptions) {
    this.#options = options;
    this.#tls = options.tls === null ? null : serverTls(options.tls);
    this.#server = createServer(socket => this.#accept(socket));
  }

  /** Port 0 takes any free one. */
  static async listen(options: FrontEndOptions, port: number): Promise<FrontEnd> {
    const frontEnd = new FrontEnd(options);
    await new Promise<void>((resolve, reject) => {
      frontEnd.#server.once('error', reject);
      frontEnd.#server.listen({host: LOOPBACK, port}, () => {
        frontEnd.#server.off('error', reject);
        resolve();
      });
    });
    return frontEnd;
  }

  /** For connections to come. */
  setTls(tls: EngineTls): void {
    this.#tls = serverTls(tls);
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') {
      throw new BorealisError('closed', 'front-end-closed', 'the server listens no more');
    }
    return address.port;
  }

  get connections(): {readonly connections: number; readonly connectionsMax: number} {
    return {connections: this.#connections.size, connectionsMax: CLIENTS_MAX};
  }

  /** Takes no more clients and ends those that there are. */
  async close(report: Report): Promise<void> {
    const closed = new Promise<void>(resolve => {
      this.#server.close(() => resolve());
    });
    this.#options.turns.endAll(report);
    for (const connection of this.#connections.values()) connection.end(report);
    // A client that does not close its side is not waited for.
    const cancel = after(LAST_WORD_MAX_MS, () => {
      for (const connection of this.#connections.values()) connection.destroy();
    });
    await closed;
    cancel();
  }

  #accept(socket: Socket): void {
    if (this.#connections.size >= CLIENTS_MAX) {
      socket.on('error', () => socket.destroy());
      socket.end(
        reportMessage({
          severity: 'FATAL',
          code: '53300',
          message: `sorry, too many clients already: ${CLIENTS_MAX} are allowed`,
        }),
      );
      return;
    }
    const id = this.#nextId++;
    const connection = new ClientConnection(socket, {
      ...this.#options,
      tls: this.#tls,
      id,
      secret: randomBytes(SECRET_BYTES),
      onCancel: (processId, secret) => this.#cancel(processId, secret),
    });
    this.#connections.set(id, connection);
    socket.on('close', () => this.#connections.delete(id));
  }

  #cancel(processId: number, secret: Buffer): void {
    const connection = this.#connections.get(processId);
    const session = connection?.session ?? null;
    if (connection === undefined || session === null) return;
    if (secret.length !== SECRET_BYTES || !timingSafeEqual(secret, connection.secret)) return;
    this.#options.turns.cancel(session, {
      severity: 'ERROR',
      code: '57014',
      message: 'canceling statement due to user request',
    });
  }
}
