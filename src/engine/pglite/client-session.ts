/**
 * One client after its login: passes its messages to the engine when it is its turn, and the engine's
 * to it.
 *
 *     socket ─▶ pending ─▶ (turn) ─▶ rewrite names ─▶ engine
 *     socket ◀─ names and notifications set right ◀─── engine
 *
 * Messages go out up to one that the engine answers with ReadyForQuery (Query, Sync, FunctionCall);
 * the next ones wait for that answer, which tells whether the turn is over. COPY data goes out as soon as the
 * engine has said that it takes it. Between CopyInResponse and CopyDone the engine ignores Sync.
 */
import type {Socket} from 'node:net';
import {systemClock} from '../../base/clock.ts';
import {errorMessage} from '../../base/errors.ts';
import {extendedQuery, firstReport, readRows} from './admin-session.ts';
import type {Identity} from './channel.ts';
import type {EngineLink} from './engine-link.ts';
import {SessionState} from './session-state.ts';
import {StatementNames} from './statement-names.ts';
import type {Turns, TurnTaker} from './turns.ts';
import {
  BackendType,
  FrontendType,
  HEADER_BYTES,
  MessageReader,
  SYNC_MESSAGE,
  changeReport,
  queryMessage,
  readCString,
  readReport,
  readyForQuery,
  reportMessage,
} from './wire.ts';
import type {Message, Report} from './wire.ts';

/** Input that waits here or in the engine before the client is asked to pause. */
const INPUT_BYTES_MAX = 4 * 1024 * 1024;
/** A message of the server's: PostgreSQL's own limit. */
const OUTPUT_MESSAGE_BYTES_MAX = 2 ** 30;
/** Of a long text only this much is looked at for hints. */
const HINT_TEXT_BYTES_MAX = 64 * 1024;

export type ClientSessionOptions = {
  readonly id: number;
  readonly identity: Identity;
  readonly settings: ReadonlyMap<string, string>;
  readonly socket: Socket;
  readonly turns: Turns;
  readonly link: EngineLink;
};

type Login = {
  readonly names: readonly string[];
  readonly resolve: (settings: Map<string, string>) => void;
  readonly reject: (error: Error) => void;
};

export class ClientSession implements TurnTaker {
  readonly id: number;
  readonly identity: Identity;
  readonly #options: ClientSessionOptions;
  readonly #state: SessionState;
  readonly #names: StatementNames;
  #reader = newReader();
  #pending: Message[] = [];
  #pendingBytes = 0;
  /** Sent to the engine and not taken by it yet. */
  #inFlightBytes = 0;
  #isHolding = false;
  /** The engine owes a ReadyForQuery. */
  #isAwaited = false;
  /** … for a Sync, rather than for a Query. */
  #isAwaitedForSync = false;
  #takesCopyData = false;
  /** After an error of ours in the extended protocol: what comes before Sync is dropped. */
  #skipsToSync = false;
  #idleSinceMs: number | null = null;
  #hasEnded = false;
  #login: Login | null = null;

  constructor(options: ClientSessionOptions) {
    this.id = options.id;
    this.identity = options.identity;
    this.#options = options;
    this.#state = new SessionState(options.settings);
    this.#names = new StatementNames(options.id);
    options.turns.join(this);
  }

  get needsInspection(): boolean {
    return this.#state.needsInspection;
  }

  get pin(): string | null {
    return this.#state.pin;
  }

  get channels(): ReadonlySet<string> {
    return this.#state.channels;
  }

  get idleSinceMs(): number | null {
    return this.#idleSinceMs;
  }

  /** The session's first turn: applies its settings and returns those named, as the engine has them. */
  start(names: readonly string[]): Promise<Map<string, string>> {
    const login = new Promise<Map<string, string>>((resolve, reject) => {
      this.#login = {names, resolve, reject};
    });
    this.#options.turns.request(this);
    return login;
  }

  /** Messages from the client, whole. */
  receive(messages: readonly Message[]): void {
    for (const received of messages) {
      if (this.#hasEnded) return;
      if (received.type === FrontendType.terminate) {
        this.#options.socket.end();
        this.leave();
        return;
      }
      this.#accept(received);
    }
    this.#pauseOrResume();
    if (this.#isHolding) this.#pump();
    else this.#wantTurn();
  }

  /** The connection is gone. */
  leave(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#login?.reject(new Error('the client has gone'));
    this.#options.turns.leave(this, {
      closes: this.#names.closeAll(),
      forget: this.#state.leavesStatements,
    });
  }

  end(report: Report): void {
    if (this.#hasEnded) return;
    const {socket} = this.#options;
    if (socket.writable) socket.end(reportMessage(report));
    this.leave();
  }

  async inspect(): Promise<void> {
    const answer = await this.#options.link.internal(
      'client',
      queryMessage(this.#state.inspectionSql()),
    );
    // With a search path of its own a client may make this fail, for itself.
    if (firstReport(answer) === undefined) this.#state.inspected(readRows(answer));
  }

  setup(wasAway: boolean): Buffer[] {
    const restore = wasAway ? this.#state.restoreSql() : null;
    const statements = this.#names.replay(this.#pending[0]?.type, wasAway);
    return [
      ...(restore === null ? [] : [queryMessage(restore)]),
      ...statements.map(parse => Buffer.concat([parse, SYNC_MESSAGE])),
    ];
  }

  begin(): void {
    this.#isHolding = true;
    this.#inFlightBytes = 0;
    this.#idleSinceMs = systemClock.monotonicMs();
    if (this.#login === null) this.#pump();
    else void this.#finishLogin(this.#login);
  }

  consumed(byteCount: number): void {
    this.#inFlightBytes = Math.max(0, this.#inFlightBytes - byteCount);
    this.#pauseOrResume();
  }

  refused(report: Buffer): void {
    const fields = readReport(report);
    const failure: Report = {
      severity: 'FATAL',
      code: fields['C'] ?? 'XX000',
      message: fields['M'] ?? 'the session could not be set up',
    };
    this.#login?.reject(new SessionRefused(failure));
    if (this.#login === null) this.end(failure);
    else this.leave();
  }

  output(bytes: Buffer): void {
    const {socket, link} = this.#options;
    const passed: Buffer[] = [];
    let released = false;
    for (const sent of this.#reader.push(bytes)) {
      const changed = this.#change(sent);
      if (changed !== null) passed.push(changed);
      if (sent.type === BackendType.readyForQuery && this.#readyForQuery(sent.bytes))
        released = true;
    }
    const acknowledge = (): void => link.acknowledgeOutput(bytes.length);
    if (socket.writable && passed.length > 0) socket.write(Buffer.concat(passed), acknowledge);
    else acknowledge();
    if (released) {
      this.#isHolding = false;
      this.#idleSinceMs = null;
      this.#options.turns.release(this);
      this.#wantTurn();
    } else if (this.#isHolding) {
      this.#pump();
    }
  }

  waitedTooLong(report: Report): void {
    // The unit that waited is answered as if the engine had refused it.
    const end = this.#pending.findIndex(({type}) => isSyncPoint(type));
    const dropped = this.#pending.splice(0, end < 0 ? this.#pending.length : end + 1);
    for (const {bytes} of dropped) this.#pendingBytes -= bytes.length;
    this.#skipsToSync = end < 0;
    const ready = end < 0 ? [] : [readyForQuery('I')];
    this.#options.socket.write(Buffer.concat([reportMessage(report), ...ready]));
    this.#pauseOrResume();
    this.#wantTurn();
  }

  loseStatements(): void {
    this.#names.lose();
  }

  notify(notification: Buffer): void {
    this.#options.socket.write(notification);
  }

  #accept(received: Message): void {
    if (this.#skipsToSync) {
      if (received.type !== FrontendType.sync) return;
      this.#skipsToSync = false;
      this.#options.socket.write(readyForQuery('I'));
      return;
    }
    this.#pending.push(received);
    this.#pendingBytes += received.bytes.length;
  }

  #wantTurn(): void {
    // Outside a COPY its data is dropped, as PostgreSQL does; a Flush has nothing to flush.
    while (isCopyMessage(this.#pending[0]?.type) || this.#pending[0]?.type === FrontendType.flush) {
      this.#take();
    }
    if (this.#pending.length > 0 && !this.#hasEnded) this.#options.turns.request(this);
  }

  #pump(): void {
    const batch: Buffer[] = [];
    for (let next = this.#pending[0]; next !== undefined; next = this.#pending[0]) {
      const isCopy = isCopyMessage(next.type);
      if (isCopy && !this.#takesCopyData) {
        // It may be for the COPY that the engine is about to begin.
        if (this.#isAwaited) break;
        this.#take();
        continue;
      }
      if (this.#isAwaited && !this.#takesCopyData) break;
      this.#take();
      batch.push(this.#forwarded(next));
      if (isSyncPoint(next.type) && !this.#takesCopyData) {
        this.#isAwaited = true;
        this.#isAwaitedForSync = next.type === FrontendType.sync;
      }
      if (next.type === FrontendType.copyDone || next.type === FrontendType.copyFail) {
        this.#takesCopyData = false;
      }
    }
    if (batch.length > 0) {
      const bytes = Buffer.concat(batch);
      this.#inFlightBytes += bytes.length;
      this.#options.link.send({type: 'input', bytes});
      this.#pauseOrResume();
    }
    const engineWorks = this.#isAwaited && !this.#takesCopyData;
    if (engineWorks && this.#options.socket.writableLength === 0) this.#idleSinceMs = null;
    else if (batch.length > 0) this.#idleSinceMs = systemClock.monotonicMs();
    else this.#idleSinceMs ??= systemClock.monotonicMs();
  }

  #take(): void {
    const taken = this.#pending.shift();
    if (taken !== undefined) this.#pendingBytes -= taken.bytes.length;
  }

  #forwarded(next: Message): Buffer {
    if (next.type === FrontendType.query || next.type === FrontendType.parse) {
      const end = Math.min(next.bytes.length, HINT_TEXT_BYTES_MAX);
      const text = next.bytes.toString('latin1', HEADER_BYTES, end);
      const isNamed = next.type === FrontendType.parse && next.bytes[HEADER_BYTES] !== 0;
      this.#state.noteText(text, isNamed);
    }
    if (next.type === FrontendType.bind) {
      this.#state.noteParameters(next.bytes.toString('latin1', 0, HINT_TEXT_BYTES_MAX));
    }
    return this.#names.rewrite(next);
  }

  /** The message as the client gets it, or null when it does not. */
  #change({type, bytes}: Message): Buffer | null {
    switch (type) {
      case BackendType.commandComplete: {
        const changes = this.#state.noteTag(readCString(bytes, HEADER_BYTES).text);
        if (changes.forgetsStatements) this.#names.clear();
        if (changes.forgetsStatements || changes.changesChannels) {
          this.#options.turns.noteChanges(changes);
        }
        return bytes;
      }
      case BackendType.copyInResponse:
        this.#takesCopyData = true;
        if (this.#isAwaitedForSync) this.#isAwaited = false;
        return bytes;
      case BackendType.errorResponse:
        this.#takesCopyData = false;
        return changeReport(bytes, text => this.#names.restoreNames(text));
      case BackendType.notificationResponse:
        this.#options.turns.notify(bytes);
        return null;
      default:
        return bytes;
    }
  }

  /** True when the turn is over. */
  #readyForQuery(bytes: Buffer): boolean {
    this.#isAwaited = false;
    this.#takesCopyData = false;
    return bytes.toString('latin1', HEADER_BYTES) === 'I';
  }

  async #finishLogin(login: Login): Promise<void> {
    try {
      const list = login.names.map(name => `'${name}'`).join(', ');
      const answer = await this.#options.link.internal(
        'client',
        Buffer.concat([
          extendedQuery(
            `SELECT name, pg_catalog.current_setting(name) AS value FROM pg_catalog.unnest(ARRAY[${list}]) AS name`,
            [],
          ),
          SYNC_MESSAGE,
        ]),
      );
      login.resolve(
        new Map(readRows(answer).map(row => [String(row['name']), String(row['value'])])),
      );
    } catch (error) {
      login.reject(new Error(errorMessage(error)));
    }
    this.#login = null;
    this.#isHolding = false;
    this.#idleSinceMs = null;
    this.#options.turns.release(this);
  }

  #pauseOrResume(): void {
    const {socket} = this.#options;
    const isFull = this.#pendingBytes + this.#inFlightBytes > INPUT_BYTES_MAX;
    if (isFull && !socket.isPaused()) socket.pause();
    else if (!isFull && socket.isPaused()) socket.resume();
  }
}

/** Why a session could not begin, to be told to the client. */
export class SessionRefused extends Error {
  override readonly name = 'SessionRefused';
  readonly report: Report;

  constructor(report: Report) {
    super(report.message);
    this.report = report;
  }
}

function newReader(): MessageReader {
  return new MessageReader({bytesMax: OUTPUT_MESSAGE_BYTES_MAX, startsUntyped: false});
}

/** A message that the engine answers with ReadyForQuery. */
function isSyncPoint(type: number): boolean {
  return (
    type === FrontendType.query || type === FrontendType.sync || type === FrontendType.functionCall
  );
}

function isCopyMessage(type: number | undefined): boolean {
  return (
    type === FrontendType.copyData ||
    type === FrontendType.copyDone ||
    type === FrontendType.copyFail
  );
}
