import {systemClock, type Clock} from '../base/clock.ts';
import type {Volume} from '../volume/volume.ts';
import {InodeTable} from './inode-table.ts';
import {timestamp} from './namespace.ts';
import {S_IFDIR} from './types.ts';

/** Makes an empty file system on an empty volume: a root directory of mode 0755 that uid 0 owns. */
export function formatVolumeFs(volume: Volume, clock: Clock = systemClock): void {
  const inodes = InodeTable.format(volume);
  const now = timestamp(clock);
  for (const mode of [S_IFDIR | 0o755, S_IFDIR | 0o700]) {
    const inode = inodes.allocate();
    Object.assign(inode, {mode, nlink: 2, atime: now, mtime: now, ctime: now, parent: inode.ino});
  }
  inodes.write(true);
  volume.endOperation();
  volume.checkpoint();
}
