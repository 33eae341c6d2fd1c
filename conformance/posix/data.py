"""Bytes of a file: positions, ends, append, truncate, O_DIRECT, sync."""
import errno
import mmap
import os
import random

from harness import check, drop_cache, equal, fallocate, get, holds, in_child, opened, put, refuses

# Edges of sectors, of pages of the machine and of the volume, of requests.
EDGES = (0, 1, 511, 512, 513, 4095, 4096, 8191, 8192, 8193, 16_384, 131_072, 2**20 - 1, 2**20)


@check('bytes written at every edge are read back, from the cache and without it')
def edges():
    model = bytearray()
    with opened('f') as fd:
        for edge in EDGES:
            for length in (1, 513, 8192, 70_000):
                data = bytes([1 + (edge * 7 + length) % 255]) * length
                equal(os.pwrite(fd, data, edge), length)
                model.extend(bytes(max(0, edge + length - len(model))))
                model[edge:edge + length] = data
        equal(get('f'), bytes(model), 'from the cache')
        drop_cache(fd)
        equal(get('f'), bytes(model), 'without the cache')
        for edge in EDGES:
            equal(os.pread(fd, 9000, edge), bytes(model[edge:edge + 9000]), f'at {edge}')


@check('reads stop at the end of the file')
def short_reads():
    put('f', b'x' * 10_000)
    with opened('f') as fd:
        equal(len(os.pread(fd, 5000, 9000)), 1000)
        equal(os.pread(fd, 10, 10_000), b'')
        equal(os.pread(fd, 10, 2**40), b'')


@check('vectored reads and writes')
def vectors():
    with opened('f') as fd:
        parts = [b'a' * 5000, b'b', b'c' * 9000]
        equal(os.pwritev(fd, parts, 3000), 14_001)
        buffers = [bytearray(7000), bytearray(8000)]
        equal(os.preadv(fd, buffers, 3000), 14_001)
        equal(b''.join(buffers)[:14_001], b''.join(parts))


@check('O_APPEND writes at the end, wherever the position is')
def append():
    put('f', b'12345')
    with opened('f', os.O_RDWR | os.O_APPEND) as fd, opened('f') as other:
        os.lseek(fd, 0, os.SEEK_SET)
        os.write(fd, b'6')
        os.pwrite(other, b'7', 6)
        os.write(fd, b'8')
        equal(os.lseek(fd, 0, os.SEEK_CUR), 8)
    equal(get('f'), b'12345678')


@check('O_APPEND by several processes loses and mixes nothing')
def append_processes():
    processes, lines = 4, 300

    def write(letter):
        with opened('f', os.O_WRONLY | os.O_APPEND | os.O_CREAT) as fd:
            for _ in range(lines):
                os.write(fd, letter * 99 + b'\n')

    pids = []
    for index in range(processes):
        pid = os.fork()
        if pid == 0:
            write(b'abcd'[index:index + 1])
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        equal(os.waitpid(pid, 0)[1], 0)
    seen = get('f').split(b'\n')[:-1]
    equal(sorted(seen), sorted(letter * 99 for letter in (b'a', b'b', b'c', b'd') for _ in range(lines)))


@check('truncate down cuts, truncate up gives zeros, also within a page')
def truncate():
    put('f', b'x' * 30_000)
    for size in (20_000, 12_345, 8193, 8192, 8191, 1, 0):
        os.truncate('f', size)
        equal(get('f'), b'x' * size, f'at {size}')
        os.truncate('f', size + 9000)
        with opened('f') as fd:
            drop_cache(fd)
        equal(get('f'), b'x' * size + bytes(9000), f'and up from {size}')
        os.truncate('f', size)
    with opened('f') as fd, refuses(errno.EINVAL):
        os.ftruncate(fd, -1)
    with opened('f', os.O_RDONLY) as fd, refuses(errno.EINVAL, errno.EBADF):
        os.ftruncate(fd, 1)


@check('what a truncate cut off does not come back')
def truncate_forgets():
    with opened('f') as fd:
        for sync in (False, True):
            os.pwrite(fd, b'secret' * 5000, 0)
            if sync:
                drop_cache(fd)
            os.ftruncate(fd, 100)
            os.pwrite(fd, b'end', 25_000)
            equal(os.pread(fd, 30_000, 100), bytes(24_900) + b'end')
            drop_cache(fd)
            equal(os.pread(fd, 30_000, 100), bytes(24_900) + b'end', 'without the cache')


@check('O_TRUNC empties, O_EXCL makes once')
def open_flags():
    put('f', b'x' * 100_000)
    with opened('f', os.O_RDWR | os.O_TRUNC) as fd:
        equal(os.fstat(fd).st_size, 0)
        os.write(fd, b'new')
    equal(get('f'), b'new')
    with opened('g', os.O_RDWR | os.O_CREAT | os.O_EXCL):
        pass


@check('a descriptor opened to read does not write, and the other way')
def access_modes():
    put('f', b'x')
    with opened('f', os.O_RDONLY) as fd, refuses(errno.EBADF):
        os.write(fd, b'y')
    with opened('f', os.O_WRONLY) as fd, refuses(errno.EBADF):
        os.read(fd, 1)


def aligned(size):
    """Anonymous memory begins at a page."""
    return mmap.mmap(-1, size)


@check('O_DIRECT writes and reads of 512 bytes')
def direct():
    sector = aligned(512)
    with opened('f', os.O_RDWR | os.O_CREAT | os.O_DIRECT) as fd:
        for index in (0, 1, 2, 17, 16, 3):
            sector[:] = bytes([index + 1]) * 512
            equal(os.pwritev(fd, [sector], index * 512), 512)
        for index in (0, 3, 16, 17):
            equal(os.preadv(fd, [sector], index * 512), 512)
            equal(sector[:], bytes([index + 1]) * 512, f'sector {index}')
        equal(os.preadv(fd, [sector], 5 * 512), 512)
        equal(sector[:], bytes(512), 'a hole')
        equal(os.preadv(fd, [sector], 18 * 512), 0, 'past the end')
    equal(os.stat('f').st_size, 18 * 512)


@check('O_DIRECT and the page cache see each other')
def direct_coherent():
    block = aligned(8192)
    with opened('f') as cached, opened('f', os.O_RDWR | os.O_DIRECT) as straight:
        os.pwrite(cached, b'a' * 16_384, 0)
        equal(os.preadv(straight, [block], 8192), 8192)
        equal(block[:], b'a' * 8192, 'direct read after a cached write')
        block[:] = b'b' * 8192
        os.pwritev(straight, [block], 0)
        equal(os.pread(cached, 16_384, 0), b'b' * 8192 + b'a' * 8192, 'cached read after a direct write')
        block[:] = b'c' * 8192
        os.pwritev(straight, [block], 16_384)
        equal(os.fstat(cached).st_size, 24_576)


@check('O_DIRECT requests larger than one message')
def direct_large():
    size = 5 * 2**20
    memory = aligned(size)
    memory[:] = random.Random(1).randbytes(size)
    with opened('f', os.O_RDWR | os.O_CREAT | os.O_DIRECT) as fd:
        equal(os.pwritev(fd, [memory], 0), size)
        back = aligned(size)
        equal(os.preadv(fd, [back], 0), size)
        holds(back[:] == memory[:], 'the same bytes')


@check('O_SYNC, O_DSYNC, fsync, fdatasync, sync_file_range, syncfs')
def syncs():
    for flag in (os.O_SYNC, os.O_DSYNC):
        with opened('f', os.O_RDWR | os.O_CREAT | flag) as fd:
            equal(os.pwrite(fd, b'x' * 9000, 100), 9000)
    with opened('f') as fd:
        os.pwrite(fd, b'y', 0)
        os.fdatasync(fd)
        os.fsync(fd)
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        equal(libc.syncfs(fd), 0)
        equal(libc.sync_file_range(fd, ctypes.c_int64(0), ctypes.c_int64(0), 7), 0)


@check('lseek: from the start, here, the end; not before the start')
def seeks():
    put('f', b'0123456789')
    with opened('f') as fd:
        equal(os.lseek(fd, -3, os.SEEK_END), 7)
        equal(os.read(fd, 1), b'7')
        equal(os.lseek(fd, 1, os.SEEK_CUR), 9)
        equal(os.lseek(fd, 100, os.SEEK_SET), 100)
        equal(os.read(fd, 1), b'')
        with refuses(errno.EINVAL):
            os.lseek(fd, -1, os.SEEK_SET)


@check('a file may be as large as 1 TiB, thinly')
def far():
    with opened('f') as fd:
        os.pwrite(fd, b'end', 2**40)
        equal(os.fstat(fd).st_size, 2**40 + 3)
        drop_cache(fd)
        equal(os.pread(fd, 10, 2**40 - 2), b'\0\0end')
        equal(os.pread(fd, 10, 2**39), bytes(10))
        os.ftruncate(fd, 2**40 + 1)
        equal(os.pread(fd, 10, 2**40), b'e')
        holds(os.fstat(fd).st_blocks < 2**16, 'it takes little')


@check('copy_file_range and sendfile copy bytes')
def copies():
    data = random.Random(2).randbytes(300_000)
    put('a', data)
    with opened('a', os.O_RDONLY) as source, opened('b') as target, opened('c') as third:
        count = 0
        while count < len(data):
            count += os.copy_file_range(source, target, len(data) - count, count, count)
        offset = 0
        while offset < len(data):
            offset += os.sendfile(third, source, offset, len(data) - offset)
    equal((get('b') == data, get('c') == data), (True, True))


@check('many processes write disjoint pages of one file')
def parallel_writers():
    pages = 64
    with opened('f') as fd:
        fallocate(fd, 0, 0, pages * 8192)

    def write(first):
        with opened('f') as mine:
            for page in range(first, pages, 4):
                os.pwrite(mine, bytes([page + 1]) * 8192, page * 8192)
            os.fsync(mine)

    pids = []
    for index in range(4):
        pid = os.fork()
        if pid == 0:
            write(index)
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        equal(os.waitpid(pid, 0)[1], 0)
    equal(get('f'), b''.join(bytes([page + 1]) * 8192 for page in range(pages)))


@check('another process sees what was written at once')
def coherent_processes():
    put('f', b'old')
    with opened('f') as fd:
        os.pwrite(fd, b'new', 0)
        in_child(lambda: equal(get('f'), b'new'))
