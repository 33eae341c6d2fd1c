/**
 * Whose turn it is: many clients, one backend.
 *
 *     request ─▶ queue ─▶ acquire (reset, become, restore) ─▶ messages … ReadyForQuery 'I' ─▶ release
 *
 * Rules:  a client holds the engine from its first message to ReadyForQuery with status I, so a
 *         transaction is never mixed with another's. Turns are given in order of request; a client
 *         that wants more queues again. While nobody else comes, the last one goes on at no cost.
 *         Our own statements (logins, checkpoints, vacuum) take turns as well, before the clients.
 * Limits: a client that idles in a transaction, reads too slowly, or is pinned by what it left in
 *         the session, is ended after IDLE_HOLD_MAX_MS, but only if somebody waits. One that waits
 *         longer than QUEUE_WAIT_MAX_MS gets an error for its statement and keeps its connection.
 */
import {every, systemClock} from '../../base/clock.ts';
import type {Identity} from './channel.ts';
import type {EngineLink} from './engine-link.ts';
import {
  message,
  queryMessage,
  readCString,
  HEADER_BYTES,
  SYNC_MESSAGE,
  BackendType,
  int32,
} from './wire.ts';
import type {Report} from './wire.ts';
import {listenSql} from './session-state.ts';

/** Long enough for a person's next keystroke in an application, short enough for those who wait. */
const IDLE_HOLD_MAX_MS = 10_000;
/** PostgreSQL clients wait at most a minute for a login by default; a statement gets as long. */
const QUEUE_WAIT_MAX_MS = 60_000;
/** After this a cancelled statement that neither reads, writes nor asks the time is taken for endless. */
const CANCEL_MAX_MS = 30_000;
const WATCH_PERIOD_MS = 500;

/** A client as its turns see it. */
export type TurnTaker = {
  readonly id: number;
  readonly identity: Identity;
  readonly needsInspection: boolean;
  readonly pin: string | null;
  readonly channels: ReadonlySet<string>;
  /** Since when it has had the engine without using it, or null while the engine works for it. */
  readonly idleSinceMs: number | null;
  /** Looks at what the session left in the backend, which is as the client left it. */
  inspect(): Promise<void>;
  /** What must run before the client's next message. */
  setup(wasAway: boolean): Buffer[];
  /** The engine is the client's. */
  begin(epoch: number): void;
  output(bytes: Buffer): void;
  consumed(byteCount: number): void;
  /** The session could not be set up: `report` is the ErrorResponse. */
  refused(report: Buffer): void;
  /** It waited too long. */
  waitedTooLong(report: Report): void;
  /** Ends the connection with this reason. */
  end(report: Report): void;
  loseStatements(): void;
  notify(notification: Buffer): void;
};

type Job = {readonly run: () => Promise<void>};
type Waiting = {readonly taker: TurnTaker; readonly sinceMs: number};

export class Turns {
  readonly #link: EngineLink;
  readonly #takers = new Set<TurnTaker>();
  #queue: Waiting[] = [];
  readonly #jobs: Job[] = [];
  /** Jobs that run only while nobody waits. */
  readonly #patientJobs: Job[] = [];
  #holder: TurnTaker | null = null;
  /** Whose state the backend's session holds; null when it must be reset. */
  #last: TurnTaker | null = null;
  #lastReleasedMs = 0;
  #epoch = 0;
  #isAdvancing = false;
  #isEnded = false;
  /** What the last client left was looked at since its turn. */
  #isInspected = false;
  /** Run before the next client's setup: what clients that went have left. */
  #garbage: Buffer[] = [];
  /** Somebody's UNLISTEN may have taken a channel from another. */
  #restoreChannels = false;
  #cancelledMs: number | null = null;
  readonly #stopWatch: () => void;
  readonly #onStuck: (error: Error) => void;

  /** `onStuck` is told when a cancelled statement does not end: only the end of the engine helps. */
  constructor(link: EngineLink, onStuck: (error: Error) => void) {
    this.#link = link;
    this.#onStuck = onStuck;
    this.#stopWatch = every(WATCH_PERIOD_MS, () => this.#watch());
    link.listen({
      output: (epoch, bytes) => {
        if (epoch === this.#epoch && this.#holder !== null) this.#holder.output(bytes);
        else link.acknowledgeOutput(bytes.length);
      },
      refused: (epoch, report) => {
        if (epoch === this.#epoch) this.#holder?.refused(report);
      },
      consumed: (epoch, byteCount) => {
        if (epoch === this.#epoch) this.#holder?.consumed(byteCount);
      },
    });
  }

  /** Nobody waits and nobody has the engine. */
  get isFree(): boolean {
    return this.#holder === null && !this.#isAdvancing && this.#waitingCount === 0;
  }

  join(taker: TurnTaker): void {
    this.#takers.add(taker);
  }

  /** Asks for a turn, unless it was asked for already. */
  request(taker: TurnTaker): void {
    if (this.#holder === taker || this.#queue.some(waiting => waiting.taker === taker)) return;
    this.#queue.push({taker, sinceMs: systemClock.monotonicMs()});
    this.#advance();
  }

  /** The holder is done: the backend is outside a transaction. */
  release(taker: TurnTaker): void {
    if (this.#holder !== taker) return;
    this.#holder = null;
    this.#cancelledMs = null;
    this.#lastReleasedMs = systemClock.monotonicMs();
    this.#advance();
  }

  /** The connection is gone. What it was doing is rolled back, what it left is cleared away. */
  leave(
    taker: TurnTaker,
    left: {readonly closes: readonly Buffer[]; readonly forget: boolean},
  ): void {
    this.#takers.delete(taker);
    this.#queue = this.#queue.filter(waiting => waiting.taker !== taker);
    if (left.closes.length > 0) this.#garbage.push(Buffer.concat([...left.closes, SYNC_MESSAGE]));
    if (left.forget) {
      this.#garbage.push(queryMessage('DEALLOCATE ALL'));
      for (const other of this.#takers) other.loseStatements();
    }
    if (this.#last === taker) this.#last = null;
    if (this.#holder !== taker) {
      this.#advance();
      return;
    }
    this.#link.cancel(this.#epoch);
    // The link's failure ends all of this; whoever waits for it is told there.
    this.#link.abort().then(
      () => {
        this.#last = null;
        this.release(taker);
      },
      () => undefined,
    );
  }

  /** The client asked, on another connection, that its statement be cancelled. */
  cancel(taker: TurnTaker, report: Report): void {
    if (this.#holder === taker) {
      if (taker.idleSinceMs !== null) return;
      this.#cancelledMs ??= systemClock.monotonicMs();
      this.#link.cancel(this.#epoch);
    } else if (this.#queue.some(waiting => waiting.taker === taker)) {
      this.#queue = this.#queue.filter(waiting => waiting.taker !== taker);
      taker.waitedTooLong(report);
    }
  }

  /** Runs `work` with the engine as ours. `patient`: only when no client wants it. */
  admin<T>(
    work: (exchange: (messages: Buffer) => Promise<Buffer>) => Promise<T>,
    options: {readonly patient: boolean} = {patient: false},
  ): Promise<T> {
    const result = new Promise<T>((resolve, reject) => {
      const run = async (): Promise<void> => {
        this.#last = null;
        try {
          resolve(await work(messages => this.#link.internal('admin', messages)));
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      (options.patient ? this.#patientJobs : this.#jobs).push({run});
    });
    this.#advance();
    return result;
  }

  /** The holder's command changed what others rely on. */
  noteChanges(changes: {forgetsStatements: boolean; changesChannels: boolean}): void {
    if (changes.changesChannels) this.#restoreChannels = true;
    if (!changes.forgetsStatements) return;
    for (const taker of this.#takers) if (taker !== this.#holder) taker.loseStatements();
  }

  /** Passes a NotificationResponse of the backend on to the clients that listen. */
  notify(notification: Buffer): void {
    const {text} = readCString(notification, HEADER_BYTES + 4);
    const sender = this.#holder?.id ?? 0;
    const passed = message(
      BackendType.notificationResponse,
      int32(sender),
      notification.subarray(HEADER_BYTES + 4),
    );
    for (const taker of this.#takers) if (taker.channels.has(text)) taker.notify(passed);
  }

  endAll(report: Report): void {
    this.#isEnded = true;
    this.#stopWatch();
    for (const taker of this.#takers) taker.end(report);
  }

  get #waitingCount(): number {
    return this.#queue.length + this.#jobs.length;
  }

  #advance(): void {
    if (this.#isAdvancing || this.#isEnded || this.#holder !== null || !this.#hasNext()) return;
    this.#isAdvancing = true;
    this.#giveTurns().then(
      () => {
        this.#isAdvancing = false;
        this.#advance();
      },
      // Only the link's end comes here, and the instance ends with it.
      () => {
        this.#isEnded = true;
      },
    );
  }

  #hasNext(): boolean {
    if (this.#isPinned) return this.#queue.some(({taker}) => taker === this.#last);
    return this.#waitingCount + this.#patientJobs.length > 0;
  }

  /** The last client, which may come back, left what cannot be taken away. */
  get #isPinned(): boolean {
    return this.#isInspected && this.#last !== null && this.#last.pin !== null;
  }

  async #giveTurns(): Promise<void> {
    while (this.#holder === null && !this.#isEnded && this.#hasNext()) {
      if (await this.#inspectLast()) continue;
      const job = this.#isPinned ? undefined : this.#jobs.shift();
      if (job !== undefined) {
        await job.run();
        continue;
      }
      const next = this.#nextTaker();
      if (next !== undefined) this.#give(next);
      else if (!this.#isPinned) await this.#patientJobs.shift()?.run();
    }
  }

  /** Before anyone but the last client: what did it leave? True when the answer may change who is next. */
  async #inspectLast(): Promise<boolean> {
    const last = this.#last;
    if (last === null || this.#isInspected || !last.needsInspection) return false;
    if (this.#jobs.length === 0 && this.#queue[0]?.taker === last) return false;
    await last.inspect();
    this.#isInspected = true;
    return true;
  }

  #nextTaker(): TurnTaker | undefined {
    const index = this.#isPinned ? this.#queue.findIndex(({taker}) => taker === this.#last) : 0;
    const [waiting] = index < 0 ? [] : this.#queue.splice(index, 1);
    return waiting?.taker;
  }

  #give(taker: TurnTaker): void {
    const wasAway = this.#last !== taker;
    this.#epoch++;
    const setup = [...this.#garbage, ...taker.setup(wasAway)];
    this.#garbage = [];
    if (this.#restoreChannels) {
      const channels = new Set([...this.#takers].flatMap(({channels: wanted}) => [...wanted]));
      if (channels.size > 0) setup.push(queryMessage(listenSql(channels)));
      this.#restoreChannels = false;
    }
    this.#holder = taker;
    this.#last = taker;
    this.#isInspected = false;
    this.#link.send({
      type: 'acquire',
      epoch: this.#epoch,
      identity: taker.identity,
      reset: wasAway,
      setup,
    });
    taker.begin(this.#epoch);
  }

  #watch(): void {
    const nowMs = systemClock.monotonicMs();
    if (this.#cancelledMs !== null && nowMs - this.#cancelledMs > CANCEL_MAX_MS) {
      this.#onStuck(
        new Error(
          `a statement did not stop within ${CANCEL_MAX_MS / 1000} s of its cancel request`,
        ),
      );
      return;
    }
    for (const {taker, sinceMs} of [...this.#queue]) {
      if (nowMs - sinceMs <= QUEUE_WAIT_MAX_MS) continue;
      this.#queue = this.#queue.filter(waiting => waiting.taker !== taker);
      taker.waitedTooLong({
        severity: 'ERROR',
        code: '53300',
        message: `the engine was busy with other sessions for ${QUEUE_WAIT_MAX_MS / 1000} s`,
        hint: 'PGlite runs one session at a time. Try again later.',
      });
    }
    const isWanted = this.#jobs.length > 0 || this.#queue.some(({taker}) => taker !== this.#last);
    if (isWanted) this.#endIdler(nowMs);
  }

  #endIdler(nowMs: number): void {
    const holder = this.#holder;
    if (holder !== null) {
      if (holder.idleSinceMs === null || nowMs - holder.idleSinceMs <= IDLE_HOLD_MAX_MS) return;
      holder.end({
        severity: 'FATAL',
        code: '25P03',
        message: 'terminating connection due to idle-in-transaction timeout',
        detail: `PGlite runs one session at a time, and others have waited for ${IDLE_HOLD_MAX_MS / 1000} s.`,
      });
      return;
    }
    const last = this.#last;
    if (last === null || last.pin === null) return;
    if (nowMs - this.#lastReleasedMs <= IDLE_HOLD_MAX_MS) return;
    last.end({
      severity: 'FATAL',
      code: '57P05',
      message: 'terminating connection due to idle-session timeout',
      detail: `The session holds ${last.pin}, PGlite runs one session at a time, and others have waited for ${IDLE_HOLD_MAX_MS / 1000} s.`,
    });
  }
}
