/**
 * Group commit: one fdatasync of each descriptor for all barriers that wait, then their replies,
 * written straight to the kernel. Barriers that arrive meanwhile form the next group.
 *
 * If fdatasync fails, the page cache cannot be trusted any more: nobody is answered, and the error
 * ends the thread and with it the session. So it does when another writer has taken the volume over,
 * which is looked at after the sync: what that writer found in the log was then all there was.
 *
 * With several zones there is no descriptor: their own threads sync, and this one waits for a quorum.
 */
import {BorealisError} from '../../base/errors.ts';
import type {Lsn} from '../../page-store/ids.ts';
import {OUT_HEADER_BYTES, WRITE_OUT_BYTES} from './abi.ts';
import {encodeOutHeader} from './reply.ts';
import {encodeWrite} from './structs.ts';
import type {SyncQueue, SyncRecord} from './sync-queue.ts';
import {WireView} from './wire.ts';

export type SyncIo = {
  sync(fd: number): void;
  /** False once the file behind the descriptor has no name any more. */
  isLinked(fd: number): boolean;
  /** Waits until a write quorum of zones holds everything up to `lsn`. */
  waitForQuorum(lsn: Lsn): void;
  /** Sends one reply. The request may have been given up, or the session ended: that is no error. */
  reply(message: Uint8Array, length: number): void;
  nowUs(): number;
  /** Told of each barrier once it was answered. */
  noteLatency(durationUs: number): void;
};

/** Serves the queue until it is stopped. Throws what `io.sync` throws. */
export function runSyncThread(queue: SyncQueue, io: SyncIo): void {
  const answer = new SyncAnswer();
  while (queue.waitForWork()) {
    try {
      syncAll(queue, io, answer);
    } catch (error) {
      queue.fail();
      throw error;
    }
  }
}

/** Exported for its tests: one group. */
export function syncAll(queue: SyncQueue, io: SyncIo, answer: SyncAnswer): void {
  const {records, position} = queue.take();
  const fds = new Set<number>();
  const holds = new Set<number>();
  let needsQuorum = false;
  const durableLsn = queue.durableLsn();
  let lsn = durableLsn;
  for (const record of records) {
    if (record.lsn <= durableLsn) continue; // an earlier group has synced it
    for (const fd of record.fds) fds.add(fd);
    if (record.holdFd !== null) holds.add(record.holdFd);
    needsQuorum ||= record.fds.length === 0;
    lsn = Math.max(lsn, record.lsn) as Lsn;
  }
  for (const fd of fds) io.sync(fd);
  for (const fd of holds) if (!io.isLinked(fd)) throw writerFenced();
  if (needsQuorum) io.waitForQuorum(lsn);
  queue.publishDurable(lsn);
  for (const record of records) io.reply(answer.buffer, answer.encode(record));
  queue.finish(position);
  // After all else, so that nobody waits for it.
  const nowUs = io.nowUs();
  for (const {askedUs} of records) io.noteLatency(nowUs - askedUs);
}

function writerFenced(): BorealisError {
  const text = 'The volume was taken over by another writer.';
  return new BorealisError('conflict', 'writer-fenced', text);
}

export class SyncAnswer {
  readonly buffer: Buffer;
  readonly #header: WireView;
  readonly #payload: WireView;

  constructor() {
    const memory = new ArrayBuffer(OUT_HEADER_BYTES + WRITE_OUT_BYTES);
    this.buffer = Buffer.from(memory);
    this.#header = new WireView(memory, 0, OUT_HEADER_BYTES);
    this.#payload = new WireView(memory, OUT_HEADER_BYTES, WRITE_OUT_BYTES);
  }

  /** Returns the length of the message. */
  encode({uniqueLow, uniqueHigh, writtenBytes}: SyncRecord): number {
    const payloadBytes = writtenBytes === null ? 0 : encodeWrite(this.#payload, writtenBytes);
    return encodeOutHeader(this.#header, uniqueLow, uniqueHigh, 0, payloadBytes);
  }
}
