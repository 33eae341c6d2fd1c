"""Directories: listing, also while they change, syncing, and many entries."""
import errno
import os
import stat

from harness import check, equal, holds, opened, put, refuses

BIG = 100_000


@check('fsync of a directory')
def sync_directory():
    os.mkdir('d')
    put('d/f', b'x')
    fd = os.open('d', os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
        os.fdatasync(fd)
        os.rename('d/f', 'd/g')
        os.fsync(fd)
    finally:
        os.close(fd)


@check('listings name each entry once, with its type and inode')
def listing():
    put('file', b'')
    os.mkdir('directory')
    os.symlink('file', 'symlink')
    os.mkfifo('fifo')
    kinds = {}
    with os.scandir('.') as entries:
        for entry in entries:
            equal(entry.inode(), os.lstat(entry.name).st_ino)
            kinds[entry.name] = (entry.is_file(follow_symlinks=False), entry.is_dir(follow_symlinks=False),
                                 entry.is_symlink())
    none = (False, False, False)
    equal(kinds, {'file': (True, False, False), 'directory': (False, True, False),
                  'symlink': (False, False, True), 'fifo': none})


@check('link counts of directories follow their sub-directories')
def link_counts():
    equal(os.stat('.').st_nlink, 2)
    for name in 'abc':
        os.mkdir(name)
    equal(os.stat('.').st_nlink, 5)
    os.rmdir('b')
    equal(os.stat('.').st_nlink, 4)
    equal(os.stat('a/..').st_ino, os.stat('.').st_ino)


def numbered(count, width=30):
    return [f'{index:0{width}d}' for index in range(count)]


@check('readdir while entries go: what stays is seen once, what is deleted as it is read all goes')
def readdir_deleting():
    names = numbered(3000)
    for name in names:
        put(name, b'')
    seen = []
    with os.scandir('.') as entries:
        for entry in entries:
            seen.append(entry.name)
            os.unlink(entry.name)
    equal(sorted(seen), names)
    equal(os.listdir('.'), [])


@check('readdir while entries come and go: what was there all the time is seen exactly once')
def readdir_changing():
    stable = numbered(2000)
    for name in stable:
        put(name, b'')
    seen = []
    with os.scandir('.') as entries:
        for index, entry in enumerate(entries):
            seen.append(entry.name)
            if index >= 6000:
                break
            put(f'new-{index}', b'')
            if index % 2 == 1:
                os.unlink(f'new-{index - 1}')
    equal(sorted(name for name in seen if not name.startswith('new-')), stable)
    equal(len(set(seen)), len(seen), 'each at most once')


@check('readdir while entries are renamed: each of the others is seen exactly once')
def readdir_renaming():
    stable = numbered(2000)
    for name in stable:
        put(name, b'')
    for index in range(200):
        put(f'move-{index}', b'')
    seen = []
    with os.scandir('.') as entries:
        for index, entry in enumerate(entries):
            seen.append(entry.name)
            if index < 200:
                os.rename(f'move-{index}', f'moved-{index}')
    equal(sorted(name for name in seen if not name.startswith('move')), stable)


@check('a directory read again from its start shows what is new')
def rewind():
    fd = os.open('.', os.O_RDONLY)
    try:
        equal(os.listdir(fd), [])
        put('a', b'')
        equal(os.listdir(fd), ['a'])
        os.rename('a', 'b')
        equal(os.listdir(fd), ['b'])
    finally:
        os.close(fd)


def many(count):
    os.mkdir('many')
    for index in range(count):
        os.close(os.open(f'many/entry-{index}', os.O_CREAT | os.O_WRONLY, 0o600))
    names = os.listdir('many')
    equal(len(names), count)
    equal(len(set(names)), count)
    for index in range(0, count, max(1, count // 1000)):
        holds(stat.S_ISREG(os.stat(f'many/entry-{index}').st_mode), 'it is a file')
    with refuses(errno.ENOENT):
        os.stat(f'many/entry-{count}')
    with refuses(errno.ENOTEMPTY):
        os.rmdir('many')
    for index in range(0, count, 2):
        os.unlink(f'many/entry-{index}')
    equal(sorted(os.listdir('many')), sorted(f'entry-{index}' for index in range(1, count, 2)))
    for index in range(1, count, 2):
        os.unlink(f'many/entry-{index}')
    os.rmdir('many')


@check('a directory of 5,000 entries')
def big():
    many(5000)


@check('a directory of 100,000 entries', slow=True)
def bigger():
    many(BIG)


@check('directories 200 deep')
def deep():
    here = os.open('.', os.O_RDONLY)
    try:
        for index in range(200):
            os.mkdir('d')
            os.chdir('d')
        put('bottom', b'x')
        holds(os.path.exists('bottom'), 'the file at the bottom')
    finally:
        os.fchdir(here)
        os.close(here)


@check('two processes make and remove names in one directory')
def parallel_names():
    pids = []
    for index in range(3):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                for turn in range(200):
                    name = f'{index}-{turn}'
                    with opened(name):
                        os.rename(name, f'{name}-moved')
                    if turn % 2 == 0:
                        os.unlink(f'{name}-moved')
                status = 0
            finally:
                os._exit(status)
        pids.append(pid)
    for pid in pids:
        equal(os.waitpid(pid, 0)[1], 0)
    equal(sorted(os.listdir('.')), sorted(f'{i}-{t}-moved' for i in range(3) for t in range(1, 200, 2)))
