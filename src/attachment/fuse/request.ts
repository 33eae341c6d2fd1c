/**
 * The one request that the serving thread holds, in a buffer that is used again for the next. A
 * decoded structure is valid until then; data of a WRITE are handed on as a window on the buffer.
 *
 *     0 ········ 4016         4056               4096 (page boundary)
 *     unused    │ in_header  │ write_in or other │ data of a WRITE …1 MiB │
 */
import {assert} from '../../base/assert.ts';
import type {Ino} from '../../volume-fs/types.ts';
import {IN_HEADER_BYTES, TRANSFER_BYTES_MAX, WRITE_IN_BYTES} from './abi.ts';
import {WireView} from './wire.ts';

/** Puts the data of a WRITE on a page boundary, so that copying them is as cheap as can be. */
const MESSAGE_OFFSET = 4096 - IN_HEADER_BYTES - WRITE_IN_BYTES;
/** The kernel refuses a read into less than a header, a write_in and max_write bytes. */
const MESSAGE_BYTES_MAX = IN_HEADER_BYTES + WRITE_IN_BYTES + TRANSFER_BYTES_MAX;

export class Request {
  readonly buffer: Buffer;
  /** Where in `buffer` a message is to be read to, and how long it may be. */
  readonly offset: number = MESSAGE_OFFSET;
  readonly lengthMax: number = MESSAGE_BYTES_MAX;
  readonly view: WireView;
  #length = 0;

  constructor() {
    const memory = new ArrayBuffer(MESSAGE_OFFSET + MESSAGE_BYTES_MAX);
    this.buffer = Buffer.from(memory);
    this.view = new WireView(memory, MESSAGE_OFFSET, MESSAGE_BYTES_MAX);
  }

  /** A message of `length` bytes has been read into `buffer`. */
  begin(length: number): void {
    assert(length >= IN_HEADER_BYTES, 'a request has a header');
    assert(this.view.u32(0) === length, 'one read returns one whole request');
    this.#length = length;
  }

  /** The message, to be served later. */
  copy(): Buffer {
    return Buffer.from(this.buffer.subarray(this.offset, this.offset + this.#length));
  }

  /** Makes a message that `copy` gave the current one. */
  restore(message: Buffer): void {
    message.copy(this.buffer, this.offset);
    this.begin(message.length);
  }

  get length(): number {
    return this.#length;
  }

  get opcode(): number {
    return this.view.u32(4);
  }

  /** The two halves of `unique`, which names the request in its reply. */
  get uniqueLow(): number {
    return this.view.u32(8);
  }

  get uniqueHigh(): number {
    return this.view.u32(12);
  }

  get nodeId(): Ino {
    return this.view.u64(16) as Ino;
  }

  get uid(): number {
    return this.view.u32(24);
  }

  get gid(): number {
    return this.view.u32(28);
  }

  /** The byte string at `at` (from the start of the message). */
  text(at: number): string {
    return this.view.text(at, this.#length);
  }
}
