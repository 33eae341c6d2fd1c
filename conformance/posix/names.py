"""Names: rename, hard links, symlinks, what a name may be, and what is refused."""
import errno
import os
import stat

from harness import Skip, check, drop_cache, equal, get, holds, link_descriptor, opened, put, refuses, renameat2

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2


@check('rename over a file replaces it, and the old one stays readable while open')
def rename_over():
    put('old', b'old')
    put('new', b'new')
    with opened('old') as fd:
        os.rename('new', 'old')
        equal(get('old'), b'new')
        equal(os.pread(fd, 10, 0), b'old')
        equal(os.fstat(fd).st_nlink, 0, 'links of the replaced file')
    equal(os.listdir('.'), ['old'])


@check('rename keeps the inode number and what is open')
def rename_keeps_inode():
    put('a', b'1')
    os.mkdir('d')
    with opened('a') as fd:
        before = os.fstat(fd).st_ino
        os.rename('a', 'd/b')
        os.pwrite(fd, b'2', 1)
        equal(os.stat('d/b').st_ino, before)
    equal(get('d/b'), b'12')


@check('rename between two names of one file does nothing')
def rename_same_file():
    put('a', b'x')
    os.link('a', 'b')
    os.rename('a', 'b')
    equal(sorted(os.listdir('.')), ['a', 'b'])


@check('rename of directories: over an empty one, not over a full one, never into itself')
def rename_directories():
    os.makedirs('a/sub')
    os.mkdir('empty')
    os.makedirs('full/x')
    with refuses(errno.ENOTEMPTY, errno.EEXIST):
        os.rename('a', 'full')
    with refuses(errno.EINVAL):
        os.rename('a', 'a/sub/b')
    os.rename('a', 'empty')
    equal(os.listdir('empty'), ['sub'])
    equal(os.stat('.').st_nlink, 4, 'links of the parent')


@check('rename between a file and a directory is refused')
def rename_types():
    put('f', b'')
    os.mkdir('d')
    with refuses(errno.EISDIR):
        os.rename('f', 'd')
    with refuses(errno.ENOTDIR):
        os.rename('d', 'f')


@check('a directory that moves gets another parent: its ".." and the link counts')
def rename_moves_parent():
    os.makedirs('a/d')
    os.mkdir('b')
    os.rename('a/d', 'b/d')
    equal(os.stat('b/d/..').st_ino, os.stat('b').st_ino)
    equal((os.stat('a').st_nlink, os.stat('b').st_nlink), (2, 3))


@check('renameat2: NOREPLACE refuses, EXCHANGE swaps')
def rename_flags():
    put('a', b'a')
    put('b', b'b')
    with refuses(errno.EEXIST):
        renameat2('a', 'b', RENAME_NOREPLACE)
    renameat2('a', 'b', RENAME_EXCHANGE)
    equal((get('a'), get('b')), (b'b', b'a'))
    renameat2('a', 'c', RENAME_NOREPLACE)
    equal(get('c'), b'b')


@check('hard links share bytes and count; the last one frees')
def hard_links():
    put('a', b'x')
    os.link('a', 'b')
    equal(os.stat('a').st_nlink, 2)
    equal(os.stat('a').st_ino, os.stat('b').st_ino)
    with opened('b') as fd:
        os.pwrite(fd, b'y', 0)
    equal(get('a'), b'y')
    os.unlink('a')
    equal((get('b'), os.stat('b').st_nlink), (b'y', 1))
    os.mkdir('d')
    with refuses(errno.EPERM):
        os.link('d', 'e')
    with refuses(errno.EEXIST):
        os.link('b', 'd')


@check('an unlinked file works while it is open')
def unlinked_open():
    put('a', b'x' * 20_000)
    with opened('a') as fd:
        os.unlink('a')
        with refuses(errno.ENOENT):
            os.stat('a')
        equal(os.fstat(fd).st_nlink, 0)
        os.pwrite(fd, b'more', 20_000)
        drop_cache(fd)
        equal(os.pread(fd, 30_000, 0), b'x' * 20_000 + b'more')
        os.ftruncate(fd, 3)
        put('a', b'another')
        equal(os.pread(fd, 10, 0), b'xxx')
    equal(get('a'), b'another')


@check('an unlinked file can be linked again from its descriptor')
def linkat_of_open():
    put('a', b'x')
    os.link('a', 'b')
    with opened('a') as fd:
        os.unlink('a')
        link_descriptor(fd, 'c')
    equal((get('c'), os.stat('c').st_nlink), (b'x', 2))


@check('a removed directory that is still open is empty and takes no entries')
def removed_directory():
    os.mkdir('d')
    fd = os.open('d', os.O_RDONLY)
    try:
        os.rmdir('d')
        with refuses(errno.ENOENT):
            os.open('f', os.O_CREAT | os.O_WRONLY, dir_fd=fd)
        equal(os.listdir(fd), [])
    finally:
        os.close(fd)


@check('symlinks: relative, dangling, long, loops')
def symlinks():
    put('a', b'x')
    os.symlink('a', 's')
    equal((os.readlink('s'), get('s'), os.lstat('s').st_size), ('a', b'x', 1))
    os.symlink('nothing', 'dangling')
    with refuses(errno.ENOENT):
        os.stat('dangling')
    for length in (160, 161, 4095):
        target = 't' * length
        os.symlink(target, f'long-{length}')
        equal(os.readlink(f'long-{length}'), target)
    with refuses(errno.ENAMETOOLONG):
        os.symlink('t' * 4096, 'too-long')
    os.symlink('loop', 'loop')
    with refuses(errno.ELOOP):
        os.stat('loop')
    os.unlink('s')
    equal(get('a'), b'x')


@check('names of 255 bytes, not of 256')
def long_names():
    name = 'n' * 255
    put(name, b'x')
    equal(os.listdir('.'), [name])
    os.rename(name, 'm' * 255)
    os.mkdir('d' * 255)
    put('d' * 255 + '/' + 'f' * 255, b'y')
    for make in (os.mkdir, os.mkfifo, lambda path: os.symlink('x', path)):
        with refuses(errno.ENAMETOOLONG):
            make('n' * 256)
    with refuses(errno.ENAMETOOLONG):
        os.stat('n' * 256)
    with refuses(errno.ENAMETOOLONG):
        os.rename('m' * 255, 'n' * 256)


@check('names are bytes: not UTF-8, control characters, upper and lower case, normal forms')
def byte_names():
    names = [b'\xff\xfe', b'\xc3\x28', b'\x01\x1f\n\t', b' ', b'...', b'A', b'a', b'\xc3\xa9',
             b'e\xcc\x81', bytes(set(range(1, 256)) - {0x2f})]
    for index, name in enumerate(names):
        with opened(name) as fd:
            os.write(fd, b'%d' % index)
    equal(sorted(os.listdir(b'.')), sorted(names))
    for index, name in enumerate(names):
        equal(get(name), b'%d' % index)
        os.unlink(name)
    equal(os.listdir(b'.'), [])


@check('what is not there, is no directory, or is one, is refused by name')
def wrong_types():
    put('f', b'')
    os.makedirs('d/x')
    with refuses(errno.ENOENT):
        os.stat('nothing/f')
    with refuses(errno.ENOTDIR):
        os.stat('f/x')
    with refuses(errno.ENOTDIR):
        os.rmdir('f')
    with refuses(errno.EISDIR):
        os.unlink('d')
    with refuses(errno.EISDIR):
        os.open('d', os.O_WRONLY)
    with refuses(errno.ENOTEMPTY):
        os.rmdir('d')
    with refuses(errno.EEXIST):
        os.mkdir('f')
    with refuses(errno.EEXIST):
        os.open('f', os.O_CREAT | os.O_EXCL)
    with refuses(errno.ENOTDIR):
        os.open('f', os.O_RDONLY | os.O_DIRECTORY)
    with refuses(errno.ELOOP):
        os.symlink('f', 's')
        os.open('s', os.O_RDONLY | os.O_NOFOLLOW)
    with refuses(errno.EINVAL):
        os.rmdir('d/.')


@check('links and renames to another file system are refused with EXDEV')
def across_devices():
    put('f', b'')
    other = next((place for place in ('/dev/shm', '/run', '/tmp') if os.path.isdir(place)
                  and os.access(place, os.W_OK) and os.stat(place).st_dev != os.stat('.').st_dev), None)
    if other is None:
        raise Skip('finds no other file system that it may write to')
    target = f'{other}/borealis-conformance-{os.getpid()}'
    for change in (os.link, os.rename):
        with refuses(errno.EXDEV):
            change('f', target)
    holds(not os.path.lexists(target), 'nothing is there')


@check('special files: a fifo carries bytes, a socket has its type')
def special_files():
    import socket
    import threading

    os.mkfifo('fifo')
    holds(stat.S_ISFIFO(os.stat('fifo').st_mode), 'it is a fifo')
    seen = []
    reader = threading.Thread(target=lambda: seen.append(get('fifo')))
    reader.start()
    with opened('fifo', os.O_WRONLY) as fd:
        os.write(fd, b'through')
    reader.join()
    equal(seen, [b'through'])
    server = socket.socket(socket.AF_UNIX)
    server.bind('socket')
    holds(stat.S_ISSOCK(os.stat('socket').st_mode), 'it is a socket')
    server.close()
