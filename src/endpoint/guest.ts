/**
 * One client of an endpoint, from its first byte to the relay.
 *
 *     open ─▶ 'session' ─▶ prepare(engine) ─▶ relayed        packet: what the engine gets first
 *        ├──▶ 'cancel'  ─▶ sent to the engines, end
 *        └──▶ 'gone'                                         it left, or broke the rules
 *
 * Where the gate passes, `open` and `prepare` read and write nothing.
 */
import type {Socket} from 'node:net';
import {assert} from '../base/assert.ts';
import {after} from '../base/clock.ts';
import type {Credential} from '../base/x509.ts';
import {secureEngine} from './engine-side.ts';
import type {Gate} from './gate.ts';
import {readOpening, type Opening} from './opening.ts';
import {
  INVALID_AUTHORIZATION,
  lastWord,
  refuse,
  refuseUnheard,
  type EndpointProtocol,
} from './refusal.ts';
import {askForToken} from './token-login.ts';

const NOTHING: Buffer = Buffer.alloc(0);

export class Guest {
  /** As it was accepted; it closes when all is over. */
  readonly client: Socket;
  readonly #protocol: EndpointProtocol;
  readonly #gate: Gate | null;
  #opening: Opening | null = null;
  /** In the name of a user whose token was found good. */
  #credential: Credential | null = null;

  constructor(client: Socket, protocol: EndpointProtocol, gate: Gate | null) {
    assert(gate === null || protocol === 'postgresql', 'a gate knows what PostgreSQL clients say');
    this.client = client;
    this.#protocol = protocol;
    this.#gate = gate;
  }

  /** To talk with: the client's own, or the TLS over it. */
  get socket(): Socket {
    return this.#opening?.socket ?? this.client;
  }

  /** What was read of the client and is the engine's. */
  get packet(): Buffer {
    const opening = this.#opening;
    return opening === null || opening.kind === 'other' ? NOTHING : opening.packet;
  }

  /** It is there no more, or it was told to go. */
  get isGone(): boolean {
    return this.client.destroyed || this.socket.destroyed || this.socket.writableEnded;
  }

  async open(limitMs: number): Promise<'session' | 'cancel' | 'gone'> {
    const gate = this.#gate;
    if (gate === null || gate.mode === 'pass') return 'session';
    const late = new AbortController();
    const cancel = after(limitMs, () => late.abort());
    this.#opening = await readOpening(this.client, gate.certificate, late.signal);
    cancel();
    if (this.#opening !== null) return this.#opening.kind === 'cancel' ? 'cancel' : 'session';
    this.client.destroy();
    return 'gone';
  }

  /**
   * Makes a connection to an engine one that the client can be joined to. Undefined when the engine
   * does not play along, or the client has to go.
   */
  async prepare(engine: Socket, port: number): Promise<Socket | undefined> {
    const opening = this.#opening;
    const gate = this.#gate;
    if (gate === null || opening === null || opening.kind === 'cancel') return engine;
    if (!opening.isSecure) return engine;
    try {
      if (opening.kind === 'startup' && !(await this.#logIn(gate, opening.user, port))) {
        return undefined;
      }
    } catch {
      // The instance ended before it answered.
      return undefined;
    }
    return secureEngine(engine, gate.authority, this.#credential);
  }

  refuse(sqlState: string, reason: string): void {
    if (this.#protocol === 'mysql') refuseUnheard(this.client, sqlState, reason);
    else if (this.#opening !== null) lastWord(this.socket, sqlState, reason);
    else void refuse(this.client, this.#gate?.certificate ?? null, sqlState, reason);
  }

  end(): void {
    this.socket.end();
    this.socket.resume();
  }

  /** False when the login failed and the client was told so. */
  async #logIn({tokens}: Gate, user: string, port: number): Promise<boolean> {
    if (tokens === null || this.#credential !== null) return true;
    if (!(await tokens.isTokenUser(port, user))) return true;
    const token = await askForToken(this.socket);
    if (token !== null && tokens.refusal(token, user) === null) {
      this.#credential = tokens.credential(user);
      return true;
    }
    lastWord(this.socket, INVALID_AUTHORIZATION, `PAM authentication failed for user "${user}"`);
    return false;
  }
}
