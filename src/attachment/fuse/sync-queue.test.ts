import {describe, expect, it} from 'vitest';
import type {Lsn} from '../../page-store/ids.ts';
import {SyncQueue, type SyncRecord} from './sync-queue.ts';
import {runSyncThread, syncAll, SyncAnswer} from './sync-thread.ts';

const record = (
  unique: number,
  lsn: number,
  fds: number[],
  more: Partial<SyncRecord> = {},
): SyncRecord => ({
  ...{uniqueLow: unique, uniqueHigh: 0xffff_fff0, writtenBytes: null, lsn: lsn as Lsn, fds},
  holdFd: null,
  askedUs: 2 ** 33 + unique,
  ...more,
});

const UNLINKED_FD = 99;

/** Records what the sync thread did, in order; latencies only where a test asks for them. */
function fakeIo(): {
  log: string[];
  sync(fd: number): void;
  isLinked(fd: number): boolean;
  waitForQuorum(lsn: Lsn): void;
  reply(message: Uint8Array, length: number): void;
  nowUs(): number;
  noteLatency(durationUs: number): void;
} {
  const log: string[] = [];
  return {
    log,
    nowUs: () => 0,
    noteLatency: () => undefined,
    sync: fd => void log.push(`sync ${fd}`),
    isLinked: fd => {
      log.push(`look at ${fd}`);
      return fd !== UNLINKED_FD;
    },
    waitForQuorum: lsn => void log.push(`quorum ${lsn}`),
    reply: (message, length) => {
      const view = new DataView(message.buffer, message.byteOffset, length);
      const result = length > 16 ? ` wrote ${view.getUint32(16, true)}` : '';
      expect(view.getUint32(0, true)).toBe(length);
      expect(view.getInt32(4, true)).toBe(0);
      expect(view.getUint32(12, true)).toBe(0xffff_fff0);
      log.push(`reply ${view.getUint32(8, true)}${result}`);
    },
  };
}

describe('the queue of barriers', () => {
  it('hands records over as they were, wherever they wrap round the ring', () => {
    const queue = new SyncQueue();
    for (let index = 0; index < 20_000; index++) {
      const fds = Array.from({length: index % 5}, (_, at) => at * 1000);
      const pushed = record(index, 2 ** 40 + index, fds, {
        writtenBytes: index % 2 === 0 ? null : index,
        holdFd: index % 3 === 0 ? null : index,
      });
      queue.push(pushed);
      const {records, position} = queue.take();
      expect(records).toEqual([pushed]);
      queue.finish(position);
    }
    expect(queue.isEmpty()).toBe(true);
  });

  it('shares its memory with another thread', () => {
    const queue = new SyncQueue();
    queue.push(record(1, 1, [3]));
    expect(new SyncQueue(queue.shared).take().records).toHaveLength(1);
  });

  it('throws instead of waiting once the sync thread has failed', () => {
    const queue = new SyncQueue();
    queue.push(record(1, 1, [3]));
    new SyncQueue(queue.shared).fail();
    expect(() => queue.waitUntilEmpty()).toThrow(/sync thread failed/);
    expect(() => queue.push(record(2, 2, [3]))).toThrow(/sync thread failed/);
  });
});

describe('the sync thread', () => {
  it('syncs each descriptor once for all that wait, before it answers any', () => {
    const queue = new SyncQueue();
    queue.push(record(1, 10, [5]));
    queue.push(record(2, 11, [5, 6], {writtenBytes: 8192}));
    queue.push(record(3, 11, [5, 6]));
    const io = fakeIo();
    syncAll(queue, io, new SyncAnswer());
    expect(io.log).toEqual(['sync 5', 'sync 6', 'reply 1', 'reply 2 wrote 8192', 'reply 3']);
    expect(queue.durableLsn()).toBe(11);
    expect(queue.isEmpty()).toBe(true);
  });

  it('does not sync again what an earlier group made durable', () => {
    const queue = new SyncQueue();
    const io = fakeIo();
    queue.push(record(1, 10, [5]));
    syncAll(queue, io, new SyncAnswer());
    queue.push(record(2, 10, [5]));
    syncAll(queue, io, new SyncAnswer());
    expect(io.log).toEqual(['sync 5', 'reply 1', 'reply 2']);
  });

  it('answers nobody and calls nothing durable when a sync fails', () => {
    const queue = new SyncQueue();
    queue.push(record(1, 10, [5]));
    const io = fakeIo();
    const failing = {
      ...io,
      sync: () => {
        throw new Error('EIO');
      },
    };
    expect(() => runSyncThread(queue, failing)).toThrow('EIO');
    expect(io.log).toEqual([]);
    expect(queue.durableLsn()).toBe(0);
    expect(queue.failed).toBe(true);
    expect(queue.isEmpty()).toBe(false);
  });

  it('looks at the record after the sync, and answers nobody once it was replaced', () => {
    const queue = new SyncQueue();
    const io = fakeIo();
    queue.push(record(1, 10, [5], {holdFd: 7}));
    syncAll(queue, io, new SyncAnswer());
    expect(io.log).toEqual(['sync 5', 'look at 7', 'reply 1']);
    queue.push(record(2, 11, [5], {holdFd: UNLINKED_FD}));
    expect(() => syncAll(queue, io, new SyncAnswer())).toThrow(/another writer/);
    expect(io.log.slice(3)).toEqual(['sync 5', 'look at 99']);
    expect(queue.durableLsn()).toBe(10);
  });

  it('waits for a quorum of zones where they sync by themselves', () => {
    const queue = new SyncQueue();
    const io = fakeIo();
    queue.push(record(1, 10, []));
    queue.push(record(2, 12, []));
    syncAll(queue, io, new SyncAnswer());
    expect(io.log).toEqual(['quorum 12', 'reply 1', 'reply 2']);
  });

  it('tells how long each barrier took, once all of its group are answered', () => {
    const queue = new SyncQueue();
    const io = fakeIo();
    queue.push(record(1, 10, [5], {askedUs: 2 ** 40 + 100}));
    queue.push(record(2, 11, [5], {askedUs: 2 ** 40 + 250}));
    const timed = {
      ...io,
      nowUs: () => 2 ** 40 + 1_000,
      noteLatency: (durationUs: number) => void io.log.push(`took ${durationUs}`),
    };
    syncAll(queue, timed, new SyncAnswer());
    expect(io.log).toEqual(['sync 5', 'reply 1', 'reply 2', 'took 900', 'took 750']);
  });

  it('finishes what waits before it stops', () => {
    const queue = new SyncQueue();
    queue.push(record(1, 10, [5]));
    queue.stop();
    const io = fakeIo();
    runSyncThread(queue, io);
    expect(io.log).toEqual(['sync 5', 'reply 1']);
  });
});
