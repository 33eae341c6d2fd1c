"""Space: fallocate, holes, what stat says of them, statfs."""
import errno
import os

from harness import (FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE, check, drop_cache, equal,
                     eventually, fallocate, get, holds, opened, put, refuses)

PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
SIZE = 100_000


def filled(offset, length, byte=b'\0'):
    data = bytearray(b'x' * SIZE)
    end = min(SIZE, offset + length)
    data[offset:end] = byte * (end - offset)
    return bytes(data)


@check('fallocate extends with zeros and keeps what is there')
def extend():
    put('f', b'x' * 10)
    with opened('f') as fd:
        fallocate(fd, 0, 5, SIZE)
        equal(os.fstat(fd).st_size, SIZE + 5)
        equal(os.pread(fd, 20, 0), b'x' * 10 + bytes(10))
        os.posix_fallocate(fd, 0, 50)
        equal(os.fstat(fd).st_size, SIZE + 5)


@check('fallocate with KEEP_SIZE keeps the size')
def keep_size():
    put('f', b'x' * 10)
    with opened('f') as fd:
        fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, SIZE)
        equal(os.fstat(fd).st_size, 10)
        os.ftruncate(fd, 20)
        equal(os.pread(fd, 30, 0), b'x' * 10 + bytes(10))


def each_range(mode, grows):
    for offset, length in ((0, 8192), (8192, 8192), (10_000, 50_000), (1, 1), (8191, 2), (4096, 4096),
                           (90_000, 20_000), (0, SIZE)):
        put('f', b'x' * SIZE)
        with opened('f') as fd:
            fallocate(fd, mode, offset, length)
            size = max(SIZE, offset + length) if grows else SIZE
            expected = filled(offset, length) + bytes(size - SIZE)
            equal(os.fstat(fd).st_size, size, f'size after {offset}+{length}')
            holds(get('f') == expected, f'from the cache, {offset}+{length}')
            drop_cache(fd)
            holds(get('f') == expected, f'without the cache, {offset}+{length}')


@check('fallocate punches holes of any alignment')
def punch():
    each_range(PUNCH, grows=False)


@check('fallocate zeroes ranges of any alignment')
def zero_range():
    each_range(FALLOC_FL_ZERO_RANGE, grows=True)


@check('fallocate zeroes ranges and keeps the size')
def zero_range_keep():
    each_range(FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, grows=False)


@check('a punched hole gives its space back')
def punch_frees():
    with opened('f') as fd:
        os.pwrite(fd, b'x' * 2**20, 0)
        os.fsync(fd)
        eventually(lambda: os.stat('f').st_blocks >= 2048, 'the file takes 1 MiB')
        fallocate(fd, PUNCH, 0, 2**19)
        os.fsync(fd)
        eventually(lambda: os.stat('f').st_blocks <= 1100, 'half of it was given back')


@check('fallocate refuses nonsense')
def refusals():
    put('f', b'x')
    with opened('f') as fd:
        for offset, length in ((-1, 10), (0, 0), (0, -1)):
            with refuses(errno.EINVAL):
                fallocate(fd, 0, offset, length)
        with refuses(errno.EOPNOTSUPP, errno.EINVAL):
            fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 1)
    with opened('f', os.O_RDONLY) as fd, refuses(errno.EBADF):
        fallocate(fd, 0, 0, 10)


@check('holes read as zeros; SEEK_DATA and SEEK_HOLE hide no data')
def sparse():
    with opened('f') as fd:
        os.pwrite(fd, b'a' * 8192, 2**20)
        os.pwrite(fd, b'b' * 8192, 2**30)
        os.fsync(fd)
        end = 2**30 + 8192
        equal(os.fstat(fd).st_size, end)
        position, found = 0, b''
        while position < end:
            try:
                start = os.lseek(fd, position, os.SEEK_DATA)
            except OSError as error:
                equal(error.errno, errno.ENXIO)
                break
            position = os.lseek(fd, start, os.SEEK_HOLE)
            holds(start < position <= end, 'a hole is behind its data')
            if position - start > 2**22:
                # All of the file may be called data.
                found = b'a' * 8192 + b'b' * 8192
            else:
                found += os.pread(fd, position - start, start).strip(b'\0')
        equal(found, b'a' * 8192 + b'b' * 8192)
        equal(os.lseek(fd, end - 1, os.SEEK_HOLE), end)
        for whence in (os.SEEK_DATA, os.SEEK_HOLE):
            with refuses(errno.ENXIO):
                os.lseek(fd, end, whence)


@check('SEEK_DATA finds what is not written back yet')
def sparse_dirty():
    with opened('f') as fd:
        os.ftruncate(fd, 2**20)
        os.pwrite(fd, b'x', 2**19)
        start = os.lseek(fd, 0, os.SEEK_DATA)
        holds(start <= 2**19, f'data at {start}')
        holds(os.lseek(fd, start, os.SEEK_HOLE) > 2**19, 'the hole comes later')


@check('a sparse file takes little space, a full one about its size')
def blocks():
    with opened('thin') as fd:
        os.ftruncate(fd, 2**30)
        os.fsync(fd)
    with opened('thick') as fd:
        os.write(fd, b'x' * 2**20)
        os.fsync(fd)
    holds(os.stat('thin').st_blocks < 1000, 'the thin one')
    eventually(lambda: 2048 <= os.stat('thick').st_blocks < 3000, 'the thick one takes about 1 MiB')


@check('statfs tells sizes that make sense, and fstatvfs the same')
def statfs():
    seen = os.statvfs('.')
    holds(seen.f_bsize >= 512 and seen.f_frsize >= 512, 'block sizes')
    holds(0 < seen.f_bavail <= seen.f_bfree <= seen.f_blocks, 'blocks')
    equal(seen.f_namemax, 255)
    with opened('f') as fd:
        equal(os.fstatvfs(fd).f_frsize, seen.f_frsize)
