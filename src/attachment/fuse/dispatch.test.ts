import {describe, expect, it} from 'vitest';
import {createLogger} from '../../base/log.ts';
import {ROOT_INO, S_IFDIR, S_IFREG, type Ino} from '../../volume-fs/types.ts';
import {dispatch} from './dispatch.ts';
import {Session} from './session.ts';
import {MemoryFileSystem} from './testing/memory-file-system.ts';

/** Speaks the protocol as the kernel does, written down apart from the code under test. */
class Kernel {
  readonly fs = new MemoryFileSystem();
  readonly barriers: (number | null)[] = [];
  readonly session: Session;
  initialised = 0;

  constructor(owners = {engineUid: 0, engineGid: 0}) {
    this.session = new Session({
      ...{fs: this.fs, owners, log: createLogger('test')},
      now: () => ({seconds: 1000, nanoseconds: 5}),
      barrier: (_, writtenBytes) => {
        this.barriers.push(writtenBytes);
        return false;
      },
      onInit: () => this.initialised++,
    });
  }

  /** `body`: numbers of 4 bytes, bigints of 8, strings with a NUL behind. */
  ask(
    opcode: number,
    ino: number,
    body: (number | bigint | string | Buffer)[],
    uid = 0,
  ): Buffer | null {
    const parts = body.map(part => {
      if (typeof part === 'string') return Buffer.from(`${part}\0`, 'latin1');
      if (typeof part === 'object') return part;
      const bytes = Buffer.alloc(typeof part === 'number' ? 4 : 8);
      if (typeof part === 'number') bytes.writeUInt32LE(part);
      else bytes.writeBigInt64LE(part);
      return bytes;
    });
    const header = Buffer.alloc(40);
    const length = 40 + parts.reduce((sum, part) => sum + part.length, 0);
    header.writeUInt32LE(length, 0);
    header.writeUInt32LE(opcode, 4);
    header.writeBigUInt64LE(0x1234_5678_9abc_def0n, 8);
    header.writeBigUInt64LE(BigInt(ino), 16);
    header.writeUInt32LE(uid, 24);
    header.writeUInt32LE(uid, 28);
    const {request, reply} = this.session;
    Buffer.concat([header, ...parts]).copy(request.buffer, request.offset);
    request.begin(length);
    const replyLength = dispatch(this.session);
    if (replyLength === 0) return null;
    const message = Buffer.from(reply.buffer.subarray(reply.offset, reply.offset + replyLength));
    expect(message.readUInt32LE(0)).toBe(replyLength);
    expect(message.readBigUInt64LE(8)).toBe(0x1234_5678_9abc_def0n);
    return message;
  }

  errno(...request: Parameters<Kernel['ask']>): number {
    return -(this.ask(...request)?.readInt32LE(4) ?? 0);
  }
}

const LOOKUP = 1;
const FORGET = 2;
const GETATTR = 3;
const SETATTR = 4;
const MKNOD = 8;
const READ = 15;
const WRITE = 16;
const FSYNC = 20;
const INIT = 26;
const BATCH_FORGET = 42;
const READDIRPLUS = 44;

const makeFile = (kernel: Kernel, name: string, uid = 0): number => {
  const entry = kernel.ask(MKNOD, 1, [S_IFREG | 0o644, 0, 0, 0, name], uid);
  return Number(entry?.readBigUInt64LE(16));
};

describe('the protocol', () => {
  it('negotiates write-back and message-free opens, and not what would break them', () => {
    const kernel = new Kernel();
    const reply = kernel.ask(INIT, 0, [7, 45, 131_072, 0xffff_ffff, 0, Buffer.alloc(44)]);
    expect(kernel.initialised).toBe(1);
    expect(reply?.length).toBe(16 + 64);
    expect([reply?.readUInt32LE(16), reply?.readUInt32LE(20)]).toEqual([7, 38]);
    const flags = reply?.readUInt32LE(28) ?? 0;
    expect(flags & (1 << 16)).not.toBe(0); // WRITEBACK_CACHE
    expect(flags & (1 << 17)).not.toBe(0); // NO_OPEN_SUPPORT
    expect(flags & (1 << 3)).toBe(0); // ATOMIC_O_TRUNC
    expect(reply?.readUInt32LE(36)).toBe(1_048_576);
    expect(reply?.readUInt16LE(44)).toBe(256);
  });

  it('asks for no flag that the kernel does not offer', () => {
    const reply = new Kernel().ask(INIT, 0, [7, 31, 131_072, 1 << 16]);
    expect(reply?.readUInt32LE(20)).toBe(31);
    expect(reply?.readUInt32LE(28)).toBe(1 << 16);
  });

  it('refuses a kernel that is too old, with the version that is needed', () => {
    expect(() => new Kernel().ask(INIT, 0, [7, 30, 0, 0])).toThrow(/7\.30.*7\.31/);
  });

  it('answers ENOSYS to what it does not know', () => {
    for (const opcode of [14, 18, 21, 25, 27, 34, 35, 36, 46, 47, 51, 9999]) {
      expect(new Kernel().errno(opcode, 1, [])).toBe(38);
    }
  });

  it('caches that a name does not exist, except for the name that wakes the thread', () => {
    const kernel = new Kernel();
    const reply = kernel.ask(LOOKUP, 1, ['nothing']);
    expect(reply?.readInt32LE(4)).toBe(0);
    expect(reply?.readBigUInt64LE(16)).toBe(0n);
    expect(reply?.readBigUInt64LE(32)).toBe(3600n);
    expect(kernel.errno(LOOKUP, 1, ['.borealis-wake'])).toBe(2);
  });

  it('encodes every attribute', () => {
    const kernel = new Kernel();
    const ino = makeFile(kernel, 'f');
    const times = [-2n, 3_000_000_000n, 0n, 7, 999_999_999, 0];
    const valid = 1 | 2 | 4 | 8 | 16 | 32;
    const size = 2n ** 39n + 5n;
    const reply = kernel.ask(SETATTR, ino, [
      ...[valid, 0, 0n, size, 0n, ...times, 0o100_600, 0, 11, 12, 0],
    ]);
    expect(reply?.length).toBe(16 + 104);
    const attr = reply?.subarray(32);
    expect(attr?.readBigUInt64LE(0)).toBe(BigInt(ino));
    expect(attr?.readBigUInt64LE(8)).toBe(size);
    expect(attr?.readBigInt64LE(24)).toBe(-2n);
    expect(attr?.readBigInt64LE(32)).toBe(3_000_000_000n);
    expect([attr?.readUInt32LE(48), attr?.readUInt32LE(52)]).toEqual([7, 999_999_999]);
    expect(attr?.readUInt32LE(60)).toBe(S_IFREG | 0o600);
    expect([attr?.readUInt32LE(64), attr?.readUInt32LE(68), attr?.readUInt32LE(72)]).toEqual([
      1, 11, 12,
    ]);
    expect(kernel.ask(GETATTR, ino, [0, 0, 0n])?.subarray(32)).toEqual(attr);
  });

  it('takes the time of "now" from its own clock', () => {
    const kernel = new Kernel();
    const ino = makeFile(kernel, 'f');
    kernel.ask(SETATTR, ino, [0x1b0, 0, Buffer.alloc(80)]);
    expect(kernel.fs.attributes(ino as Ino).mtime).toEqual({seconds: 1000, nanoseconds: 5});
  });

  it("swaps the owner that is stored with the engine's", () => {
    const kernel = new Kernel({engineUid: 26, engineGid: 27});
    const ino = makeFile(kernel, 'f', 26);
    expect(kernel.fs.attributes(ino as Ino)).toMatchObject({uid: 0, gid: 26});
    const attr = kernel.ask(GETATTR, ino, [0, 0, 0n])?.subarray(32);
    expect([attr?.readUInt32LE(68), attr?.readUInt32LE(72)]).toEqual([26, 26]);
  });

  it('reads what was written, at any offset and length', () => {
    const kernel = new Kernel();
    const ino = makeFile(kernel, 'f');
    const data = Buffer.from(Array.from({length: 10_000}, (_, index) => index % 251));
    for (const [offset, length] of [
      [0, 10_000],
      [4096, 8192],
      [9_999_999_999, 512],
      [3, 1],
    ] as const) {
      const part = data.subarray(0, length);
      const wrote = kernel.ask(WRITE, ino, [0n, BigInt(offset), length, 0, 0n, 0, 0, part]);
      expect(wrote?.readUInt32LE(16)).toBe(length);
      const read = kernel.ask(READ, ino, [0n, BigInt(offset), length, 0, 0n, 0, 0]);
      expect(read?.subarray(16)).toEqual(part);
    }
  });

  it('leaves fsync and O_DSYNC writes to the sync thread, but not those of the page cache', () => {
    const kernel = new Kernel();
    const ino = makeFile(kernel, 'f');
    const write = (writeFlags: number, openFlags: number): Buffer | null =>
      kernel.ask(WRITE, ino, [0n, 0n, 3, writeFlags, 0n, openFlags, 0, Buffer.from('abc')]);
    expect(kernel.ask(FSYNC, ino, [0n, 0, 0])).toBeNull();
    expect(write(0, 0o4_010_001)).toBeNull();
    expect(kernel.barriers).toEqual([null, 3]);
    expect(write(1, 0o4_010_001)).not.toBeNull();
    expect(write(0, 1)).not.toBeNull();
    expect(kernel.barriers).toHaveLength(2);
  });

  it('keeps an inode until the kernel has forgotten each look-up', () => {
    const kernel = new Kernel();
    const ino = makeFile(kernel, 'f');
    kernel.ask(LOOKUP, 1, ['f']);
    kernel.fs.unlink(ROOT_INO, 'f');
    expect(kernel.ask(FORGET, ino, [1n])).toBeNull();
    expect(kernel.fs.inodeCount).toBe(2);
    expect(kernel.ask(BATCH_FORGET, 0, [1, 0, BigInt(ino), 1n])).toBeNull();
    expect(kernel.fs.inodeCount).toBe(1);
    expect(kernel.errno(GETATTR, ino, [0, 0, 0n])).toBe(116);
  });

  it('takes back what a reply granted when nobody waited for it', () => {
    const kernel = new Kernel();
    makeFile(kernel, 'f');
    kernel.session.takeBackGrants();
    kernel.fs.unlink(ROOT_INO, 'f');
    expect(kernel.fs.inodeCount).toBe(1);
  });

  it('lists a directory in as many replies as it takes, each entry once, with its attributes', () => {
    const kernel = new Kernel();
    const names = Array.from({length: 300}, (_, index) => 'x'.repeat(index % 40) + String(index));
    for (const name of names) makeFile(kernel, name);
    const seen: string[] = [];
    for (let cookie = 0n; ;) {
      const reply = kernel.ask(READDIRPLUS, 1, [0n, cookie, 4096, 0, 0n, 0, 0]);
      const entries = reply?.subarray(16) ?? Buffer.alloc(0);
      expect(entries.length).toBeLessThanOrEqual(4096);
      if (entries.length === 0) break;
      for (let at = 0; at < entries.length;) {
        const entry = entries.subarray(at + 128);
        const length = entry.readUInt32LE(16);
        const name = entry.toString('latin1', 24, 24 + length);
        const isDot = name.startsWith('.');
        expect(entries.readBigUInt64LE(at)).toBe(isDot ? 0n : entry.readBigUInt64LE(0));
        expect(entry.readUInt32LE(20) << 12).toBe(isDot ? S_IFDIR : S_IFREG);
        cookie = entry.readBigUInt64LE(8);
        seen.push(name);
        at += 128 + ((24 + length + 7) & ~7);
      }
    }
    expect(seen).toEqual(['.', '..', ...names]);
  });

  it('passes names through byte by byte', () => {
    const kernel = new Kernel();
    makeFile(kernel, 'caf\u00c3\u00a9\u00ff');
    expect(kernel.fs.lookup(ROOT_INO, 'caf\u00c3\u00a9\u00ff').nlink).toBe(1);
  });

  it('ends the session on a failed assertion, and only then', () => {
    const kernel = new Kernel();
    expect(() => kernel.ask(LOOKUP, 1, [Buffer.from('no terminator')])).toThrow(/NUL/);
  });
});
