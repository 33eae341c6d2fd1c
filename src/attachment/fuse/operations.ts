/**
 * The protocol as a table: operation code to name, decoder and handler. An operation that is not
 * here answers ENOSYS, and the kernel does without: OPEN, CREATE, OPENDIR, RELEASE and FLUSH (files are
 * opened without messages; CREATE becomes MKNOD), ACCESS (the mount option default_permissions),
 * extended attributes (EOPNOTSUPP to the caller), locks (kept by the kernel), COPY_FILE_RANGE (read
 * and written instead), INTERRUPT (no request waits long enough to be worth it).
 *
 * LSEEK, too, is not served on purpose. The kernel asks it without writing dirty pages back first, so
 * what was just written would be a hole, and cp and tar would copy zeros. Unserved, a file is all
 * data to SEEK_DATA and SEEK_HOLE, which POSIX allows and which is never wrong.
 */
import {OPCODE} from './abi.ts';
import * as handlers from './handlers.ts';
import type {Request} from './request.ts';
import type {Session} from './session.ts';
import * as structs from './structs.ts';

export type Operation = {
  readonly name: string;
  /** It changes the volume. */
  readonly changes: boolean;
  readonly serve: (session: Session) => number;
};

const table: (Operation | undefined)[] = [];

function define<In>(
  name: keyof typeof OPCODE,
  decode: (request: Request) => In,
  handle: (session: Session, input: In) => number,
  changes: 'changes' | 'reads' = 'reads',
): void {
  table[OPCODE[name]] = {
    name,
    changes: changes === 'changes',
    serve: session => handle(session, decode(session.request)),
  };
}

define('INIT', structs.decodeInit, handlers.init);
define('DESTROY', structs.decodeNothing, handlers.destroy);

define('LOOKUP', structs.decodeName, handlers.lookup);
// Letting go of the last reference to an unlinked file deletes it.
define('FORGET', structs.decodeForget, handlers.forget, 'changes');
define('BATCH_FORGET', structs.decodeBatchForget, handlers.batchForget, 'changes');

define('GETATTR', structs.decodeNothing, handlers.getAttributes);
table[OPCODE.SETATTR] = {
  name: 'SETATTR',
  changes: true,
  serve: session => {
    const changes = structs.decodeSetAttributes(session.request, session.owners, session.now);
    return handlers.setAttributes(session, changes);
  },
};
define('READLINK', structs.decodeNothing, handlers.readLink);
define('STATFS', structs.decodeNothing, handlers.statistics);

define('SYMLINK', structs.decodeSymlink, handlers.makeSymlink, 'changes');
define('MKNOD', structs.decodeMakeNode, handlers.makeNode, 'changes');
define('MKDIR', structs.decodeMakeDirectory, handlers.makeDirectory, 'changes');
define('LINK', structs.decodeLink, handlers.link, 'changes');
define('UNLINK', structs.decodeName, handlers.unlink, 'changes');
define('RMDIR', structs.decodeName, handlers.removeDirectory, 'changes');
define('RENAME', structs.decodeRename, handlers.rename, 'changes');
define('RENAME2', structs.decodeRename2, handlers.rename, 'changes');

define('READ', structs.decodeRead, handlers.read);
define('WRITE', structs.decodeWrite, handlers.write, 'changes');
define('FALLOCATE', structs.decodeAllocate, handlers.allocate, 'changes');
define('READDIR', structs.decodeRead, handlers.readDirectory);
define('READDIRPLUS', structs.decodeRead, handlers.readDirectoryPlus);

// The volume has one log, so making one file durable makes all of it durable.
define('FSYNC', structs.decodeNothing, handlers.barrier);
define('FSYNCDIR', structs.decodeNothing, handlers.barrier);
define('SYNCFS', structs.decodeNothing, handlers.barrier);

export function operationOf(opcode: number): Operation | undefined {
  return table[opcode];
}
