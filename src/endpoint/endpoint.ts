/**
 * A TCP endpoint: an address on loopback that stays while instances behind it come and go.
 *
 *     client ──▶ address:port ──▶ relay ──▶ 127.0.0.1:(port of an instance)
 *
 *     target    new connections                       open connections
 *     ready     go to the instance with the fewest    stay with an instance that is still named
 *     starting  are held until ready or refused       were cut when the target left ready
 *     none      are refused with `reason`             were cut
 *
 * Among instances with equally few of this endpoint's connections they take turns; one that does not
 * take a connection is passed by.
 *
 * Rules:  a client's bytes are not read before there is an engine to take them, so the kernel's
 *         buffer is all that a held connection costs. Either side may close its half first. A side
 *         that reads slowly slows the other one down (pipe), and no byte is kept twice.
 * Limits: CONNECTIONS_MAX open, HELD_MAX held, each at most HOLD_MS_MAX; beyond, the client gets an
 *         error of its protocol that says so.
 * Errors: conflict/port-in-use from `listen`. A broken connection ends that connection alone.
 */
import {createServer, createConnection, type Server, type Socket} from 'node:net';
import {after, sleep} from '../base/clock.ts';
import {BorealisError, systemErrorCode} from '../base/errors.ts';
import {Balance} from './balance.ts';
import {
  CANNOT_CONNECT_NOW,
  ENCRYPTION_REFUSED,
  errorResponse,
  isEncryptionRequest,
  mysqlError,
  TOO_MANY_CONNECTIONS,
  type EndpointProtocol,
} from './refusal.ts';

export const ENDPOINT_ADDRESS = '127.0.0.1';
/** Far above what any engine here takes (max_connections), so that the engine's own message is seen first. */
const CONNECTIONS_MAX = 5_000;
/** A pool of each of some hundred client processes may wait out a restart. */
const HELD_MAX = 1_000;
/** Longer than a crash restart with minutes of WAL behind it is not worth waiting silently. */
const HOLD_MS_MAX = 30_000;
/** Time for the last bytes of an engine that is gone to reach a client; then the client is cut. */
const CUT_GRACE_MS = 1_000;
/** An engine that closed its side is done with the client; a slow reader gets this long for the rest. */
const END_GRACE_MS = 30_000;
/** A client that is refused and has not spoken yet gets this long to ask for encryption. */
const REFUSE_SILENT_MS = 200;
/** An engine that is marked ready yet refuses has just died: look again this soon. */
const CONNECT_RETRY_MS = 25;

/**
 * `ports`: instances for new connections, at least one. `staying`: instances that get no new ones,
 * while those that are open may stay.
 */
export type EndpointTarget =
  | {
      readonly state: 'ready';
      readonly ports: readonly number[];
      readonly staying?: readonly number[];
    }
  | {readonly state: 'starting'}
  | {readonly state: 'none'; readonly reason: string};

export type EndpointStatistics = {
  /** Since it listens. */
  readonly accepted: number;
  readonly refused: number;
  /** Now: connections that are open, and those of them that wait for an instance. */
  readonly open: number;
  readonly held: number;
};

export type EndpointLimits = {
  readonly connectionsMax: number;
  readonly heldMax: number;
  readonly holdMsMax: number;
  readonly cutGraceMs: number;
  readonly endGraceMs: number;
};

const DEFAULT_LIMITS: EndpointLimits = {
  connectionsMax: CONNECTIONS_MAX,
  heldMax: HELD_MAX,
  holdMsMax: HOLD_MS_MAX,
  cutGraceMs: CUT_GRACE_MS,
  endGraceMs: END_GRACE_MS,
};

export class Endpoint {
  readonly address: string;
  readonly port: number;
  readonly #server: Server;
  readonly #limits: EndpointLimits;
  #target: EndpointTarget = {state: 'starting'};
  #protocol: EndpointProtocol = 'postgresql';
  /** Aborted and replaced at each change of the target: wakes those who wait for it. */
  #change = new AbortController();
  readonly #clients = new Set<Socket>();
  /** Relayed connections: each client with the port of its instance. */
  readonly #relays = new Map<Socket, number>();
  readonly #balance = new Balance();
  #heldCount = 0;
  #acceptedCount = 0;
  #refusedCount = 0;
  #closed = false;

  private constructor(server: Server, address: string, port: number, limits: EndpointLimits) {
    this.#server = server;
    this.address = address;
    this.port = port;
    this.#limits = limits;
    server.on('connection', client => this.#accept(client));
  }

  /** Port 0 takes any free one. `address` is one of the loopback network, 127.0.0.0/8. */
  static async listen(
    port: number,
    limits: Partial<EndpointLimits> = {},
    address: string = ENDPOINT_ADDRESS,
  ): Promise<Endpoint> {
    // A client that has said its last word (FIN) may still have answers to read, and the reverse.
    const server = createServer({allowHalfOpen: true, pauseOnConnect: true, noDelay: true});
    await listening(server, address, port);
    const bound = server.address();
    const actual = typeof bound === 'object' && bound !== null ? bound.port : port;
    return new Endpoint(server, address, actual, {...DEFAULT_LIMITS, ...limits});
  }

  get connectionCount(): number {
    return this.#clients.size;
  }

  get heldCount(): number {
    return this.#heldCount;
  }

  statistics(): EndpointStatistics {
    return {
      accepted: this.#acceptedCount,
      refused: this.#refusedCount,
      open: this.#clients.size,
      held: this.#heldCount,
    };
  }

  /** Routes new connections, and those held, to `target`; cuts those whose instance it does not name. */
  setTarget(target: EndpointTarget): void {
    this.#target = target;
    this.#cutRelays(
      new Set(target.state === 'ready' ? [...target.ports, ...(target.staying ?? [])] : []),
    );
    const changed = this.#change;
    this.#change = new AbortController();
    changed.abort();
  }

  /** What clients speak, so that a refusal is one to them. */
  setProtocol(protocol: EndpointProtocol): void {
    this.#protocol = protocol;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#change.abort();
    const closed = new Promise<void>(resolve => {
      this.#server.close(() => resolve());
    });
    for (const client of this.#clients) client.destroy();
    await closed;
  }

  #accept(client: Socket): void {
    this.#acceptedCount++;
    this.#clients.add(client);
    client.on('error', () => client.destroy());
    client.on('close', () => {
      this.#clients.delete(client);
      this.#relays.delete(client);
    });
    if (this.#clients.size > this.#limits.connectionsMax) {
      this.#refuse(client, TOO_MANY_CONNECTIONS, 'sorry, too many clients already');
      return;
    }
    void this.#route(client);
  }

  /** Connects the client to the engine, waiting for one if need be. Never rejects. */
  async #route(client: Socket): Promise<void> {
    const held = {is: false};
    const deadline = new AbortController();
    const cancel = after(this.#limits.holdMsMax, () => deadline.abort());
    client.once('close', () => deadline.abort());
    try {
      for (;;) {
        if (client.destroyed || this.#closed) return;
        const target = this.#target;
        if (target.state === 'none') {
          this.#refuse(client, CANNOT_CONNECT_NOW, target.reason);
          return;
        }
        const change = this.#change.signal;
        const found = target.state === 'ready' ? await this.#connect(target.ports) : undefined;
        if (found !== undefined) {
          if (!client.destroyed && this.#leadsTo(found.port)) {
            this.#relay(client, found);
            return;
          }
          found.engine.destroy();
          continue;
        }
        if (!held.is && this.#heldCount >= this.#limits.heldMax) {
          this.#refuse(
            client,
            TOO_MANY_CONNECTIONS,
            'too many clients wait for the DB instance to start',
          );
          return;
        }
        if (!held.is) this.#heldCount++;
        held.is = true;
        if (deadline.signal.aborted) {
          this.#refuse(client, CANNOT_CONNECT_NOW, 'the DB instance is still starting up');
          return;
        }
        await waitFor(target.state === 'ready' ? CONNECT_RETRY_MS : undefined, [
          change,
          deadline.signal,
        ]);
      }
    } finally {
      cancel();
      if (held.is) this.#heldCount--;
    }
  }

  #refuse(client: Socket, sqlState: string, reason: string): void {
    this.#refusedCount++;
    if (this.#protocol === 'postgresql') refuse(client, sqlState, reason);
    else refuseUnheard(client, mysqlError(sqlState, reason));
  }

  #leadsTo(port: number): boolean {
    return this.#target.state === 'ready' && this.#target.ports.includes(port);
  }

  /** Connects to the least loaded of the instances that take a connection. */
  async #connect(ports: readonly number[]): Promise<Found | undefined> {
    const left = new Set(ports);
    for (;;) {
      const port = this.#balance.choose(left);
      if (port === undefined) return undefined;
      const release = this.#balance.take(port);
      const engine = await connect(port);
      if (engine !== undefined) {
        engine.once('close', release);
        return {engine, port};
      }
      release();
      left.delete(port);
    }
  }

  #relay(client: Socket, {engine, port}: Found): void {
    this.#relays.set(client, port);
    // An error or a full close of one side leaves nothing to do for the other one.
    engine.on('error', () => client.destroy());
    engine.on('close', hadError => {
      if (hadError || !client.writableEnded) client.destroy();
    });
    client.on('close', hadError => {
      if (hadError) engine.resetAndDestroy();
      else engine.destroy();
    });
    engine.on('end', () => cutAfter(client, this.#limits.endGraceMs));
    engine.pipe(client);
    client.pipe(engine);
  }

  #cutRelays(kept: ReadonlySet<number>): void {
    for (const [client, port] of this.#relays) {
      if (kept.has(port)) continue;
      cutAfter(client, this.#limits.cutGraceMs);
      this.#relays.delete(client);
    }
  }
}

type Found = {readonly engine: Socket; readonly port: number};

/**
 * Says why, then closes. A client that asks for encryption first is told "no" before: it would not
 * read an error in place of that answer. One that says nothing is told after a moment all the same.
 */
function refuse(client: Socket, sqlState: string, reason: string): void {
  cutAfter(client, CUT_GRACE_MS);
  const say = (): void => {
    cancel();
    if (!client.writableEnded) client.end(errorResponse(sqlState, reason));
  };
  const cancel = after(REFUSE_SILENT_MS, say);
  client.once('close', cancel);
  client.on('data', (bytes: Buffer) => {
    // Unread bytes at close would turn the FIN into a reset: all are read, and only this one is answered.
    if (isEncryptionRequest(bytes) && !client.writableEnded) client.write(ENCRYPTION_REFUSED);
    else say();
  });
}

/** Says why, then closes, where the server speaks first. */
function refuseUnheard(client: Socket, packet: Buffer): void {
  cutAfter(client, CUT_GRACE_MS);
  client.end(packet);
  // Unread bytes at close would turn the FIN into a reset.
  client.resume();
}

function cutAfter(client: Socket, graceMs: number): void {
  const cancel = after(graceMs, () => client.destroy());
  client.once('close', cancel);
}

function connect(port: number): Promise<Socket | undefined> {
  return new Promise(resolve => {
    const socket = createConnection({
      host: ENDPOINT_ADDRESS,
      port,
      allowHalfOpen: true,
      noDelay: true,
    });
    const fail = (): void => {
      socket.destroy();
      resolve(undefined);
    };
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

/** Resolves when a signal aborts or the time is over. */
async function waitFor(durationMs: number | undefined, signals: AbortSignal[]): Promise<void> {
  const any = AbortSignal.any(signals);
  if (durationMs !== undefined) return await sleep(durationMs, any);
  if (any.aborted) return;
  await new Promise<void>(resolve => any.addEventListener('abort', () => resolve(), {once: true}));
}

function listening(server: Server, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', error => {
      const code = systemErrorCode(error);
      reject(
        code === 'EADDRINUSE' || code === 'EACCES'
          ? new BorealisError(
              'conflict',
              'port-in-use',
              `Port ${port} on ${address} is in use by another program.`,
              error,
            )
          : error,
      );
    });
    server.listen({host: address, port, backlog: 511}, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
}
