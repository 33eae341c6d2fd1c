/** What the handlers of one mounted volume share. Lives in the serving thread alone. */
import type {Logger} from '../../base/log.ts';
import type {FileSystem, Ino, Timestamp} from '../../volume-fs/types.ts';
import type {OwnerMap} from './owner-map.ts';
import {Reply} from './reply.ts';
import {Request} from './request.ts';

export type SessionOptions = {
  readonly fs: FileSystem;
  readonly owners: OwnerMap;
  readonly log: Logger;
  readonly now: () => Timestamp;
  /**
   * Begins a barrier for the current request. True: nothing to wait for, answer at once. False: the
   * sync thread answers, with `writtenBytes` as a WRITE's result, or with no result if it is null.
   */
  readonly barrier: (request: Request, writtenBytes: number | null) => boolean;
  /** INIT has been negotiated. */
  readonly onInit: () => void;
};

export class Session {
  readonly fs: FileSystem;
  readonly owners: OwnerMap;
  readonly log: Logger;
  readonly now: () => Timestamp;
  readonly barrier: SessionOptions['barrier'];
  readonly onInit: () => void;
  readonly request: Request = new Request();
  readonly reply: Reply = new Reply();
  /** Inodes that the current reply makes the kernel hold; taken back if the reply is not taken. */
  readonly granted: Ino[] = [];
  /** Requests served, those that only woke the thread included. */
  requestCount = 0;
  /** Something was changed since this was last set to false. */
  changed = false;

  constructor(options: SessionOptions) {
    this.fs = options.fs;
    this.owners = options.owners;
    this.log = options.log;
    this.now = options.now;
    this.barrier = options.barrier;
    this.onInit = options.onInit;
  }

  /** The kernel holds one more reference to `ino` once it has the current reply. */
  grant(ino: Ino): void {
    this.fs.retain(ino);
    this.granted.push(ino);
  }

  /** The kernel had given up on the request: what the reply granted is held by nobody. */
  takeBackGrants(): void {
    for (const ino of this.granted) this.fs.release(ino, 1);
    this.granted.length = 0;
  }
}
