/**
 * A TCP endpoint: an address on loopback that stays while instances behind it come and go.
 *
 *     client ──▶ address:port ──▶ relay ──▶ 127.0.0.1:(port of an instance)
 *
 * Its gate says whether it passes bytes untouched or looks at what a client says first (gate.ts).
 *
 *     target    new connections                       open connections
 *     ready     go to the instance with the fewest    stay with an instance that is still named
 *     starting  are held until ready or refused       were cut when the target left ready
 *     none      are refused with `reason`             were cut
 *
 * Among instances with equally few of this endpoint's connections they take turns; one that does not
 * take a connection is passed by.
 *
 * Rules:  of a client's bytes no more than its opening is read before there is an engine to take
 *         them, so that and the kernel's buffer is all that a held connection costs. Either side may
 *         close its half first. A side that reads slowly slows the other one down (pipe), and no byte
 *         is kept twice. A cancel request goes to every engine here, for the key in it says which one
 *         it is for.
 * Limits: CONNECTIONS_MAX open, HELD_MAX held, each at most HOLD_MS_MAX; beyond, the client gets an
 *         error of its protocol that says so. An opening that is inspected comes within OPENING_MS_MAX.
 * Errors: conflict/port-in-use from `listen`. A broken connection ends that connection alone.
 */
import {createServer, type Server, type Socket} from 'node:net';
import {after, sleep} from '../base/clock.ts';
import {BorealisError, systemErrorCode} from '../base/errors.ts';
import {Balance} from './balance.ts';
import {connectEngine, sendCancel} from './engine-side.ts';
import type {Gate} from './gate.ts';
import {Guest} from './guest.ts';
import {
  CANNOT_CONNECT_NOW,
  cutAfter,
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
/** As long as an engine would wait for the first packet: PostgreSQL's authentication_timeout. */
const OPENING_MS_MAX = 60_000;
/** Cancel requests that are on their way to engines; more at once are dropped, as an engine may. */
const CANCELS_MAX = 100;
/** A machine that is gone without a word, should a client ever be on one, is found out. */
const KEEP_ALIVE_MS = 60_000;
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
  readonly openingMsMax: number;
};

const DEFAULT_LIMITS: EndpointLimits = {
  connectionsMax: CONNECTIONS_MAX,
  heldMax: HELD_MAX,
  holdMsMax: HOLD_MS_MAX,
  cutGraceMs: CUT_GRACE_MS,
  endGraceMs: END_GRACE_MS,
  openingMsMax: OPENING_MS_MAX,
};

export class Endpoint {
  readonly address: string;
  readonly port: number;
  readonly #server: Server;
  readonly #limits: EndpointLimits;
  #target: EndpointTarget = {state: 'starting'};
  #protocol: EndpointProtocol = 'postgresql';
  /** Null: bytes pass, and TLS, if there is any, is the engine's alone. */
  #gate: Gate | null = null;
  /** Aborted and replaced at each change of the target: wakes those who wait for it. */
  #change = new AbortController();
  readonly #clients = new Set<Socket>();
  /** Relayed connections: each client with the port of its instance. */
  readonly #relays = new Map<Socket, number>();
  readonly #balance = new Balance();
  #heldCount = 0;
  #cancelCount = 0;
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
    const server = createServer({
      allowHalfOpen: true,
      pauseOnConnect: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    });
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

  /** What clients speak, so that a refusal is one to them. For connections to come. */
  setProtocol(protocol: EndpointProtocol): void {
    this.#protocol = protocol;
  }

  /** For connections to come. */
  setGate(gate: Gate | null): void {
    this.#gate = gate;
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
    const guest = new Guest(client, this.#protocol, this.#gate);
    if (this.#clients.size > this.#limits.connectionsMax) {
      this.#refuse(guest, TOO_MANY_CONNECTIONS, 'sorry, too many clients already');
      return;
    }
    void this.#serve(guest);
  }

  /** Never rejects. */
  async #serve(guest: Guest): Promise<void> {
    const kind = await guest.open(this.#limits.openingMsMax);
    if (kind === 'cancel') await this.#cancel(guest);
    else if (kind === 'session') await this.#route(guest);
  }

  async #cancel(guest: Guest): Promise<void> {
    const target = this.#target;
    if (target.state === 'ready' && this.#cancelCount < CANCELS_MAX) {
      this.#cancelCount++;
      const ports = [...target.ports, ...(target.staying ?? [])];
      await Promise.all(ports.map(port => sendCancel(port, guest.packet)));
      this.#cancelCount--;
    }
    // As an engine does it: the end of the connection says that the request was looked at.
    guest.end();
  }

  /** Connects the client to the engine, waiting for one if need be. Never rejects. */
  async #route(guest: Guest): Promise<void> {
    const held = {is: false};
    const deadline = new AbortController();
    const cancel = after(this.#limits.holdMsMax, () => deadline.abort());
    guest.client.once('close', () => deadline.abort());
    try {
      for (;;) {
        if (guest.isGone || this.#closed) return;
        const target = this.#target;
        if (target.state === 'none') {
          this.#refuse(guest, CANNOT_CONNECT_NOW, target.reason);
          return;
        }
        const change = this.#change.signal;
        const found =
          target.state === 'ready' ? await this.#connect(target.ports, guest) : undefined;
        if (found !== undefined) {
          if (!guest.isGone && this.#leadsTo(found.port)) {
            this.#relay(guest, found);
            return;
          }
          found.engine.destroy();
          continue;
        }
        if (!held.is && this.#heldCount >= this.#limits.heldMax) {
          this.#refuse(
            guest,
            TOO_MANY_CONNECTIONS,
            'too many clients wait for the DB instance to start',
          );
          return;
        }
        if (!held.is) this.#heldCount++;
        held.is = true;
        if (deadline.signal.aborted) {
          this.#refuse(guest, CANNOT_CONNECT_NOW, 'the DB instance is still starting up');
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

  #refuse(guest: Guest, sqlState: string, reason: string): void {
    this.#refusedCount++;
    guest.refuse(sqlState, reason);
  }

  #leadsTo(port: number): boolean {
    return this.#target.state === 'ready' && this.#target.ports.includes(port);
  }

  /** Connects to the least loaded of the instances that take a connection. */
  async #connect(ports: readonly number[], guest: Guest): Promise<Found | undefined> {
    const left = new Set(ports);
    for (;;) {
      const port = this.#balance.choose(left);
      if (port === undefined) return undefined;
      const release = this.#balance.take(port);
      const socket = await connectEngine(port, guest.client.remoteAddress);
      if (socket === undefined) release();
      else socket.once('close', release);
      const engine = socket === undefined ? undefined : await guest.prepare(socket, port);
      if (engine !== undefined) return {engine, port};
      socket?.destroy();
      if (guest.isGone) return undefined;
      left.delete(port);
    }
  }

  #relay(guest: Guest, {engine, port}: Found): void {
    const client = guest.socket;
    this.#relays.set(guest.client, port);
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
    if (guest.packet.length > 0) engine.write(guest.packet);
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
