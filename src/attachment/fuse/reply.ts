/**
 * The one reply that the serving thread writes, in a buffer that is used again. Results go straight
 * behind the header, file data on a page boundary, and one writeSync sends both.
 */
import {OUT_HEADER_BYTES, TRANSFER_BYTES_MAX} from './abi.ts';
import {WireView} from './wire.ts';

const MESSAGE_OFFSET = 4096 - OUT_HEADER_BYTES;

export class Reply {
  readonly buffer: Buffer;
  readonly offset: number = MESSAGE_OFFSET;
  /** What comes after the header. */
  readonly payload: WireView;
  readonly #header: WireView;

  constructor() {
    const memory = new ArrayBuffer(MESSAGE_OFFSET + OUT_HEADER_BYTES + TRANSFER_BYTES_MAX);
    this.buffer = Buffer.from(memory);
    this.#header = new WireView(memory, MESSAGE_OFFSET, OUT_HEADER_BYTES);
    this.payload = new WireView(memory, MESSAGE_OFFSET + OUT_HEADER_BYTES, TRANSFER_BYTES_MAX);
  }

  /** Fills the header; returns the length of the message. `errno` is 0 or positive. */
  finish(uniqueLow: number, uniqueHigh: number, errno: number, payloadBytes: number): number {
    return encodeOutHeader(this.#header, uniqueLow, uniqueHigh, errno, payloadBytes);
  }
}

/** fuse_out_header: u32 len, s32 error, u64 unique. */
export function encodeOutHeader(
  view: WireView,
  uniqueLow: number,
  uniqueHigh: number,
  errno: number,
  payloadBytes: number,
): number {
  const length = OUT_HEADER_BYTES + payloadBytes;
  view.putU32(0, length);
  view.putU32(4, -errno);
  view.putU32(8, uniqueLow);
  view.putU32(12, uniqueHigh);
  return length;
}
