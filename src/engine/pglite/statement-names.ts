/**
 * One backend holds the prepared statements of all clients, so each client's names are replaced by
 * names of its own: `c<client>_<n>`. Names longer than PostgreSQL's 63 bytes lose nothing that way.
 *
 * What a client has prepared is remembered as it was sent. If another client throws all statements away
 * (`DEALLOCATE ALL`, `DISCARD ALL`), they are prepared again before this client's next turn; its
 * unnamed statement too, which any other client's turn replaces. `DEALLOCATE name` in SQL does not find a
 * statement that was prepared through the protocol; drivers send Close.
 */
import {FrontendType, HEADER_BYTES, ProtocolViolation, message, readCString} from './wire.ts';
import type {Message} from './wire.ts';

/** What a client may have prepared at once; each is kept twice, here and in the backend. */
const STATEMENTS_MAX = 10_000;

type Statement = {readonly alias: string; parse: Buffer | null};

export class StatementNames {
  readonly #prefix: string;
  readonly #statements = new Map<string, Statement>();
  #aliasCount = 0;
  #unnamed: Buffer | null = null;
  /** The backend may hold none of these any more. */
  #lost = false;

  constructor(client: number) {
    this.#prefix = `c${client}_`;
  }

  /** The message as the backend gets it. */
  rewrite({type, bytes}: Message): Buffer {
    switch (type) {
      case FrontendType.parse: {
        const {text, end} = readCString(bytes, HEADER_BYTES);
        if (text === '') {
          this.#unnamed = bytes;
          return bytes;
        }
        const statement = this.#statement(text);
        const rewritten = message(type, statement.alias, bytes.subarray(end));
        statement.parse = rewritten;
        return rewritten;
      }
      case FrontendType.bind: {
        const portal = readCString(bytes, HEADER_BYTES);
        const {text, end} = readCString(bytes, portal.end);
        if (text === '') return bytes;
        return message(type, portal.text, this.#aliasOf(text), bytes.subarray(end));
      }
      case FrontendType.describe:
      case FrontendType.close: {
        const kind = bytes.subarray(HEADER_BYTES, HEADER_BYTES + 1);
        const {text} = readCString(bytes, HEADER_BYTES + 1);
        if (kind.toString('latin1') !== 'S' || text === '') return bytes;
        const alias = this.#aliasOf(text);
        if (type === FrontendType.close) this.#statements.delete(text);
        return message(type, kind, alias);
      }
      case FrontendType.query:
        // The backend drops the unnamed statement for each simple query.
        this.#unnamed = null;
        return bytes;
      default:
        return bytes;
    }
  }

  /** Aliases in a text for people become the client's own names again. */
  restoreNames(text: string): string {
    if (!text.includes(this.#prefix)) return text;
    let restored = text;
    for (const [name, {alias}] of this.#statements) {
      restored = restored.replaceAll(`"${alias}"`, `"${name}"`);
    }
    return restored;
  }

  /** Another client threw all statements of the backend away. */
  lose(): void {
    this.#lost = true;
  }

  /** This client did: it knows of none any more. */
  clear(): void {
    this.#statements.clear();
    this.#unnamed = null;
    this.#lost = false;
  }

  /** Parse messages that make the backend hold again what the client, whose next message is `next`, relies on. */
  replay(next: number | undefined, wasAway: boolean): Buffer[] {
    const messages: Buffer[] = [];
    if (this.#lost) {
      for (const {parse} of this.#statements.values()) if (parse !== null) messages.push(parse);
      this.#lost = false;
    }
    const usesUnnamed = next === FrontendType.bind || next === FrontendType.describe;
    if (wasAway && usesUnnamed && this.#unnamed !== null) messages.push(this.#unnamed);
    return messages;
  }

  /** Close messages for all that the client leaves in the backend. */
  closeAll(): Buffer[] {
    return [...this.#statements.values()].map(({alias}) =>
      message(FrontendType.close, Buffer.from('S'), alias),
    );
  }

  #statement(name: string): Statement {
    const known = this.#statements.get(name);
    if (known !== undefined) return known;
    if (this.#statements.size >= STATEMENTS_MAX) {
      throw new ProtocolViolation(`a client may have ${STATEMENTS_MAX} prepared statements`);
    }
    const statement: Statement = {alias: `${this.#prefix}${this.#aliasCount++}`, parse: null};
    this.#statements.set(name, statement);
    return statement;
  }

  /** A name never prepared goes through as it is: the backend says that it does not exist. */
  #aliasOf(name: string): string {
    return this.#statements.get(name)?.alias ?? `${this.#prefix}${name}`;
  }
}
