/** Operations on a file system as data, and all that can be seen of it as text: to compare two of them. */
import {assert} from '../../base/assert.ts';
import {
  FsError,
  ROOT_INO,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type FileSystem,
  type Ino,
  type Owner,
} from '../types.ts';
import {ModelFs} from './model-fs.ts';

export const OWNER: Owner = {uid: 0, gid: 0};

/** `directory` is an absolute path. */
export type Path = {readonly directory: string; readonly name: string};
export type FileOperation =
  | {kind: 'create' | 'mkdir' | 'symlink' | 'unlink' | 'rmdir'; at: Path}
  | {kind: 'write'; at: Path; offset: number; length: number}
  | {kind: 'truncate'; at: Path; size: number}
  | {kind: 'allocate'; at: Path; mode: number; offset: number; length: number}
  | {kind: 'link' | 'rename'; from: Path; to: Path; flags: number};

/** `done`, or the errno of a refusal. Other errors pass through. */
export function outcomeOf(run: () => void): string {
  try {
    run();
    return 'done';
  } catch (error) {
    if (error instanceof FsError) return error.code;
    throw error;
  }
}

export function operate(fs: FileSystem, step: FileOperation, stamp: number): void {
  switch (step.kind) {
    case 'create':
      fs.makeNode(walk(fs, step.at.directory), step.at.name, S_IFREG | 0o600, 0, OWNER);
      return;
    case 'mkdir':
      fs.makeDirectory(walk(fs, step.at.directory), step.at.name, 0o700, OWNER);
      return;
    case 'symlink':
      fs.makeSymlink(walk(fs, step.at.directory), step.at.name, 'target/'.repeat(stamp), OWNER);
      return;
    case 'unlink':
      return fs.unlink(walk(fs, step.at.directory), step.at.name);
    case 'rmdir':
      return fs.removeDirectory(walk(fs, step.at.directory), step.at.name);
    case 'write':
      return fs.write(find(fs, step.at), step.offset, Buffer.alloc(step.length, stamp));
    case 'truncate':
      fs.setAttributes(find(fs, step.at), {sizeBytes: step.size});
      return;
    case 'allocate':
      return fs.allocate(find(fs, step.at), step.mode, step.offset, step.length);
    case 'link':
      fs.link(find(fs, step.from), walk(fs, step.to.directory), step.to.name);
      return;
    case 'rename':
      return fs.rename(
        walk(fs, step.from.directory),
        step.from.name,
        walk(fs, step.to.directory),
        step.to.name,
        step.flags,
      );
  }
}

function walk(fs: FileSystem, directory: string): Ino {
  return directory
    .split('/')
    .filter(part => part !== '')
    .reduce((ino, part) => fs.lookup(ino, part).ino, ROOT_INO);
}

function find(fs: FileSystem, at: Path): Ino {
  return fs.lookup(walk(fs, at.directory), at.name).ino;
}

/** Everything that can be seen, as text: names, types, links, sizes and bytes. */
export function listing(fs: FileSystem, ino: Ino = ROOT_INO): string {
  const {mode, nlink, sizeBytes} = fs.attributes(ino);
  const type = mode & S_IFMT;
  if (type === S_IFLNK) return `link ${fs.readLink(ino)}`;
  if (type !== S_IFDIR) {
    const bytes = Buffer.alloc(sizeBytes + 1);
    assert(fs.read(ino, 0, bytes) === sizeBytes, 'a file is read to its end');
    return `file ${nlink} ${sizeBytes} ${ModelFs.digest(bytes.subarray(0, sizeBytes))}`;
  }
  const entries: string[] = [];
  fs.readDirectory(ino, 2, entry => {
    assert(fs.lookup(ino, entry.name).ino === entry.ino, 'what is listed is found');
    entries.push(`${JSON.stringify(entry.name)}: ${listing(fs, entry.ino)}`);
    return true;
  });
  return `directory ${nlink} {${entries.sort().join(', ')}}`;
}
