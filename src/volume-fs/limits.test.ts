import {expect, test} from 'vitest';
import type {VolumeNumber} from '../page-store/ids.ts';
import {MemoryZone} from '../page-store/testing/memory-zone.ts';
import {openVolumeIn} from '../volume/open-volume.ts';
import {formatVolumeFs} from './format-volume-fs.ts';
import {ROOT_INO, S_IFREG} from './types.ts';
import {openVolumeFs} from './volume-fs.ts';

const TIB = 2 ** 40;

test('a file ends at 64 TiB: the last byte can be written, and beyond it is EFBIG, which says so', () => {
  const zone = new MemoryZone();
  const volume = openVolumeIn({
    zone,
    volume: 1 as VolumeNumber,
    create: true,
    nodeCacheBytes: 2 ** 20,
  });
  formatVolumeFs(volume);
  const fs = openVolumeFs(volume);
  const {ino} = fs.makeNode(ROOT_INO, 'large', S_IFREG | 0o600, 0, {uid: 0, gid: 0});
  fs.write(ino, 64 * TIB - 1, Buffer.from('z'));
  expect(fs.attributes(ino).sizeBytes).toBe(64 * TIB);
  const tooBig = {code: 'EFBIG', message: expect.stringContaining(String(64 * TIB)) as string};
  expect(() => fs.write(ino, 64 * TIB - 1, Buffer.from('zz'))).toThrow(
    expect.objectContaining(tooBig),
  );
  expect(() => fs.setAttributes(ino, {sizeBytes: 64 * TIB + 1})).toThrow(
    expect.objectContaining(tooBig),
  );
  expect(() => fs.allocate(ino, 0, 64 * TIB, 1)).toThrow(expect.objectContaining(tooBig));
  // Nothing was half done, and the volume goes on.
  const into = Buffer.alloc(2);
  expect(fs.read(ino, 64 * TIB - 1, into)).toBe(1);
  expect(into.toString('latin1', 0, 1)).toBe('z');
  volume.close();
});
