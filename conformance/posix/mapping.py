"""Files in memory: mmap private and shared."""
import mmap
import os

from harness import FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, check, drop_cache, equal, fallocate, get, in_child, opened, put

SIZE = 100_000


@check('mmap shared: what is changed in memory is in the file')
def shared():
    with opened('f') as fd:
        os.ftruncate(fd, SIZE)
        with mmap.mmap(fd, SIZE) as memory:
            memory[8190:8195] = b'world'
            equal(os.pread(fd, 5, 8190), b'world', 'before msync')
            memory.flush()
            memory[50_000:50_005] = b'hello'
        drop_cache(fd)
        equal((os.pread(fd, 5, 8190), os.pread(fd, 5, 50_000)), (b'world', b'hello'))
        equal(os.fstat(fd).st_size, SIZE)


@check('mmap shared: what is written to the file is in memory')
def shared_reads():
    put('f', b'x' * SIZE)
    with opened('f') as fd, mmap.mmap(fd, SIZE) as memory:
        equal(memory[:3], b'xxx')
        os.pwrite(fd, b'new', 20_000)
        equal(memory[20_000:20_003], b'new')


@check('mmap shared between processes')
def shared_processes():
    put('f', b'x' * SIZE)

    def change():
        with opened('f') as mine, mmap.mmap(mine, SIZE) as memory:
            memory[40_000:40_003] = b'one'

    with opened('f') as fd, mmap.mmap(fd, SIZE) as memory:
        in_child(change)
        equal(memory[40_000:40_003], b'one')


@check('mmap private: what is changed in memory is not in the file')
def private():
    put('f', b'x' * SIZE)
    with opened('f') as fd:
        with mmap.mmap(fd, SIZE, flags=mmap.MAP_PRIVATE) as memory:
            memory[0:3] = b'own'
            memory[90_000:90_003] = b'own'
            equal(memory[0:3], b'own')
        drop_cache(fd)
    equal(get('f'), b'x' * SIZE)


@check('mmap to read only, of a file opened to read')
def read_only():
    put('f', b'x' * SIZE)
    with opened('f', os.O_RDONLY) as fd, mmap.mmap(fd, SIZE, prot=mmap.PROT_READ) as memory:
        equal(memory[SIZE - 3:], b'xxx')


@check('mmap survives close and unlink')
def outlives():
    put('f', b'x' * SIZE)
    with opened('f') as fd:
        memory = mmap.mmap(fd, SIZE)
    os.unlink('f')
    memory[0:3] = b'new'
    memory.flush()
    equal((memory[0:3], memory[SIZE - 1:]), (b'new', b'x'))
    memory.close()


@check('mmap: bytes behind the end of the file are zeros and stay out of it')
def tail():
    put('f', b'x' * 5000)
    with opened('f') as fd:
        with mmap.mmap(fd, 5000) as memory:
            memory[4999:5000] = b'y'
        os.ftruncate(fd, 9000)
        drop_cache(fd)
        equal(os.pread(fd, 5000, 4998), b'xy' + bytes(4000))


@check('mmap sees a hole that is punched under it')
def punched():
    put('f', b'x' * SIZE)
    with opened('f') as fd, mmap.mmap(fd, SIZE) as memory:
        equal(memory[20_000:20_003], b'xxx')
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 16_384, 8192)
        equal(memory[20_000:20_003], bytes(3))
        memory[20_000:20_001] = b'y'
        drop_cache(fd)
        equal(os.pread(fd, 3, 19_999), b'\0y\0')


@check('mmap of a large file, every page changed')
def large():
    pages = 4096
    with opened('f') as fd:
        os.ftruncate(fd, pages * 4096)
        with mmap.mmap(fd, pages * 4096) as memory:
            for page in range(pages):
                memory[page * 4096:page * 4096 + 2] = page.to_bytes(2, 'little')
            memory.flush()
        drop_cache(fd)
        data = get('f')
        equal([int.from_bytes(data[page * 4096:page * 4096 + 2], 'little') for page in range(pages)],
              list(range(pages)))
