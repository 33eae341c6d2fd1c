/**
 * A directory: pages full of records, as in ext2.
 *
 *     ino u32 │ length u16 │ nameLength u8 │ type u8 │ name … │ (room up to `length`)
 *
 * Records fill each page from end to end; ino 0 marks one that is free. A new entry takes room behind
 * a record that does not need all of its length; a removed one gives its room to the record before it
 * in the page. An entry never moves, so its position serves as the readdir cookie.
 * `type` is the file type's S_IFMT bits shifted right by 12.
 *
 * In memory: a map from name to entry, built when the directory is first used. The cache of
 * directories is bounded by entries, see Namespace. Source: docs/formats/volume-fs.md.
 */
import {assert} from '../base/assert.ts';
import {PAGE_SIZE_BYTES} from '../volume/pointer.ts';
import type {Volume} from '../volume/volume.ts';
import type {Inode} from './inode.ts';
import type {DirectoryEntry, Ino} from './types.ts';

const HEAD_BYTES = 8;
const TYPE_SHIFT = 12;
/** Cookies 1 and 2 are "." and ".."; an entry at position p has cookie p + 3. */
const FIRST_COOKIE = 3;

type Entry = {ino: Ino; type: number; position: number};

export class Directory {
  readonly #volume: Volume;
  readonly #inode: Inode;
  readonly #entries = new Map<string, Entry>();
  /** The largest record that still fits each page, never too small. */
  readonly #room: number[] = [];
  /** Pages below have no room worth a look. */
  #firstRoom = 0;

  constructor(volume: Volume, inode: Inode) {
    this.#volume = volume;
    this.#inode = inode;
    for (let page = 0; page < pageCount(inode); page++) this.#room.push(this.#loadPage(page));
  }

  get size(): number {
    return this.#entries.size;
  }

  find(name: string): {readonly ino: Ino; readonly type: number} | null {
    return this.#entries.get(name) ?? null;
  }

  /** Adds a name that is not there. Returns true when the directory grew by a page. */
  add(name: string, ino: Ino, type: number): boolean {
    assert(!this.#entries.has(name), 'a name is added once');
    const needed = recordBytes(name.length);
    for (let page = this.#firstRoom; page < this.#room.length; page++) {
      if ((this.#room[page] as number) < needed) {
        if (page === this.#firstRoom && (this.#room[page] as number) < recordBytes(1)) {
          this.#firstRoom++;
        }
        continue;
      }
      if (this.#addToPage(page, name, ino, type, needed)) return false;
    }
    const page = this.#room.length;
    const bytes = this.#volume.changePage(this.#inode.ino, page, false);
    bytes.fill(0);
    bytes.writeUInt16LE(PAGE_SIZE_BYTES, 4);
    this.#room.push(PAGE_SIZE_BYTES);
    const added = this.#addToPage(page, name, ino, type, needed);
    assert(added, 'a record fits an empty page');
    return true;
  }

  remove(name: string): void {
    const entry = this.#entries.get(name);
    assert(entry !== undefined, 'a name that is removed is there');
    const page = Math.floor(entry.position / PAGE_SIZE_BYTES);
    const target = entry.position % PAGE_SIZE_BYTES;
    const bytes = this.#volume.changePage(this.#inode.ino, page, true);
    let before = -1;
    for (let at = 0; at < target; at += bytes.readUInt16LE(at + 4)) before = at;
    if (before < 0) {
      bytes.writeUInt32LE(0, target);
    } else {
      const length = bytes.readUInt16LE(before + 4) + bytes.readUInt16LE(target + 4);
      bytes.writeUInt16LE(length, before + 4);
    }
    this.#room[page] = PAGE_SIZE_BYTES;
    this.#firstRoom = Math.min(this.#firstRoom, page);
    this.#entries.delete(name);
  }

  /** Lets a name that is there stand for another inode. */
  replace(name: string, ino: Ino, type: number): void {
    const entry = this.#entries.get(name);
    assert(entry !== undefined, 'a name that is replaced is there');
    const page = Math.floor(entry.position / PAGE_SIZE_BYTES);
    const bytes = this.#volume.changePage(this.#inode.ino, page, true);
    const at = entry.position % PAGE_SIZE_BYTES;
    bytes.writeUInt32LE(ino, at);
    bytes.writeUInt8(type >>> TYPE_SHIFT, at + 7);
    entry.ino = ino;
    entry.type = type;
  }

  /** Entries in the order of their position, after `cookie`; "." and ".." are the caller's. */
  list(cookie: number, visit: (entry: DirectoryEntry) => boolean): void {
    const from = Math.max(0, cookie - FIRST_COOKIE + 1);
    const bytes = Buffer.allocUnsafe(PAGE_SIZE_BYTES);
    const pages = this.#room.length;
    for (let page = Math.floor(from / PAGE_SIZE_BYTES); page < pages; page++) {
      this.#volume.readPages(this.#inode.ino, page, 1, bytes, 0);
      for (let at = 0; at < PAGE_SIZE_BYTES; at += bytes.readUInt16LE(at + 4)) {
        const position = page * PAGE_SIZE_BYTES + at;
        const ino = bytes.readUInt32LE(at) as Ino;
        if (ino === 0 || position < from) continue;
        const name = bytes.toString('latin1', at + 8, at + 8 + bytes.readUInt8(at + 6));
        const type = bytes.readUInt8(at + 7) << TYPE_SHIFT;
        if (!visit({name, ino, type, nextCookie: position + FIRST_COOKIE})) return;
      }
    }
  }

  /** Reads a page into the map and returns the room in it. */
  #loadPage(page: number): number {
    const bytes = Buffer.allocUnsafe(PAGE_SIZE_BYTES);
    this.#volume.readPages(this.#inode.ino, page, 1, bytes, 0);
    let room = 0;
    for (let at = 0; at < PAGE_SIZE_BYTES;) {
      const length = bytes.readUInt16LE(at + 4);
      assert(length >= HEAD_BYTES && at + length <= PAGE_SIZE_BYTES, 'records fill their page');
      const ino = bytes.readUInt32LE(at) as Ino;
      const nameLength = bytes.readUInt8(at + 6);
      if (ino !== 0) {
        const name = bytes.toString('latin1', at + 8, at + 8 + nameLength);
        const type = bytes.readUInt8(at + 7) << TYPE_SHIFT;
        this.#entries.set(name, {ino, type, position: page * PAGE_SIZE_BYTES + at});
      }
      room = Math.max(room, ino === 0 ? length : length - recordBytes(nameLength));
      at += length;
    }
    return room;
  }

  #addToPage(page: number, name: string, ino: Ino, type: number, needed: number): boolean {
    const bytes = this.#volume.changePage(this.#inode.ino, page, true);
    let largest = 0;
    for (let at = 0; at < PAGE_SIZE_BYTES;) {
      const length = bytes.readUInt16LE(at + 4);
      const used = bytes.readUInt32LE(at) === 0 ? 0 : recordBytes(bytes.readUInt8(at + 6));
      if (length - used >= needed) {
        if (used > 0) bytes.writeUInt16LE(used, at + 4);
        const start = at + used;
        bytes.writeUInt32LE(ino, start);
        bytes.writeUInt16LE(length - used, start + 4);
        bytes.writeUInt8(name.length, start + 6);
        bytes.writeUInt8(type >>> TYPE_SHIFT, start + 7);
        bytes.write(name, start + 8, 'latin1');
        this.#entries.set(name, {ino, type, position: page * PAGE_SIZE_BYTES + start});
        return true;
      }
      largest = Math.max(largest, length - used);
      at += length;
    }
    this.#room[page] = largest;
    return false;
  }
}

function recordBytes(nameLength: number): number {
  return Math.ceil((HEAD_BYTES + nameLength) / 4) * 4;
}

function pageCount(inode: Inode): number {
  return inode.sizeBytes / PAGE_SIZE_BYTES;
}
