"""Random operations on two directories, which must answer the same and hold the same bytes.

    fsx.py run DIRECTORY MODEL SEED COUNT    prints nothing; status 1 and the last operations on a difference
    fsx.py compare DIRECTORY MODEL           only compares

A few files, each open through one descriptor a side that is opened again now and then, sometimes with
O_DIRECT. The same seed on directories in the same state does the same.
"""
import errno
import mmap
import os
import random
import sys

from harness import (FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE, fallocate)

NAMES = ['f0', 'f1', 'f2', 'f3', 'd/f4', 'd/f5']
SIZE_MAX = 400_000
LENGTH_MAX = 70_000
EDGES = (0, 1, 511, 512, 4095, 4096, 8191, 8192, 8193, 65_536, 131_072, 262_144)
PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
MODES = {'allocate': 0, 'allocate keep': FALLOC_FL_KEEP_SIZE, 'punch': PUNCH, 'zero': FALLOC_FL_ZERO_RANGE,
         'zero keep': FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE}
HISTORY_SHOWN = 40
SECTOR = 512


class Side:
    """One of the two directories, with its descriptors."""

    def __init__(self, root):
        self.root = root
        self.descriptors = {}
        os.makedirs(f'{root}/d', exist_ok=True)

    def path(self, name):
        return f'{self.root}/{name}'

    def fd(self, name):
        if name not in self.descriptors:
            self.descriptors[name] = os.open(self.path(name), os.O_RDWR | os.O_CREAT, 0o644)
        return self.descriptors[name]

    def close(self, name):
        if name in self.descriptors:
            os.close(self.descriptors.pop(name))

    def write(self, name, offset, data):
        return os.pwrite(self.fd(name), data, offset)

    def append(self, name, data):
        fd = os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            return os.write(fd, data)
        finally:
            os.close(fd)

    def read(self, name, offset, length):
        return os.pread(self.fd(name), length, offset)

    def truncate(self, name, size):
        os.ftruncate(self.fd(name), size)

    def map_write(self, name, offset, data):
        """Through memory; up to the end of the file, as no store may reach beyond it."""
        size = os.fstat(self.fd(name)).st_size
        data = data[:max(0, size - offset)]
        if data:
            with mmap.mmap(self.fd(name), size) as memory:
                memory[offset:offset + len(data)] = data
        return len(data)

    def map_read(self, name, offset, length):
        size = os.fstat(self.fd(name)).st_size
        if offset >= size:
            return b''
        with mmap.mmap(self.fd(name), size, prot=mmap.PROT_READ) as memory:
            return memory[offset:offset + length]

    def direct_write(self, name, offset, data):
        fd = os.open(self.path(name), os.O_RDWR | os.O_CREAT | os.O_DIRECT, 0o644)
        try:
            with mmap.mmap(-1, len(data)) as memory:
                memory[:] = data
                return os.pwritev(fd, [memory], offset)
        finally:
            os.close(fd)

    def direct_read(self, name, offset, length):
        fd = os.open(self.path(name), os.O_RDWR | os.O_CREAT | os.O_DIRECT, 0o644)
        try:
            with mmap.mmap(-1, length) as memory:
                count = os.preadv(fd, [memory], offset)
                return memory[:count]
        finally:
            os.close(fd)

    def allocate(self, name, mode, offset, length):
        fallocate(self.fd(name), mode, offset, length)

    def copy(self, source, target, offset, length):
        size = os.fstat(self.fd(source)).st_size
        done = 0
        while done < length and offset + done < size:
            count = os.copy_file_range(self.fd(source), self.fd(target), length - done, offset + done, offset + done)
            if count == 0:
                break
            done += count
        return done

    def rename(self, source, target):
        for name in (source, target):
            self.fd(name)
        os.rename(self.path(source), self.path(target))
        if source != target:
            self.close(target)
            self.descriptors[target] = self.descriptors.pop(source)

    def unlink(self, name):
        """Leaves the descriptor: it goes on with what has no name. Written and read once more, then closed."""
        fd = self.fd(name)
        os.unlink(self.path(name))
        os.pwrite(fd, b'nameless', 3)
        data = os.pread(fd, LENGTH_MAX, 0)
        self.close(name)
        return data

    def sync(self, name, data_only):
        (os.fdatasync if data_only else os.fsync)(self.fd(name))

    def drop_cache(self, name):
        os.fsync(self.fd(name))
        os.posix_fadvise(self.fd(name), 0, 0, os.POSIX_FADV_DONTNEED)

    def describe(self, name):
        if not os.path.exists(self.path(name)):
            return None
        seen = os.stat(self.path(name))
        return seen.st_size, seen.st_nlink, seen.st_mode


class Generator:
    """Picks operations: (text, function of a side)."""

    def __init__(self, rng, modes):
        self.rng = rng
        self.modes = modes
        self.kinds = [(6, self.write), (2, self.append), (5, self.read), (3, self.truncate), (4, self.map_write),
                      (3, self.map_read), (2, self.direct_write), (2, self.direct_read), (2, self.copy),
                      (2, self.rename), (1, self.unlink), (2, self.reopen), (2, self.sync), (2, self.drop_cache),
                      (2, self.describe), (4 if modes else 0, self.allocate)]

    def next(self):
        weights = [weight for weight, _ in self.kinds]
        return self.rng.choices(self.kinds, weights)[0][1]()

    def name(self):
        return self.rng.choice(NAMES)

    def extent(self):
        offset = self.rng.choice(EDGES) if self.rng.random() < 0.4 else self.rng.randrange(SIZE_MAX)
        length = self.rng.choice((1, 512, 4096, 8192)) if self.rng.random() < 0.4 else self.rng.randrange(1, LENGTH_MAX)
        return offset, length

    def sectors(self):
        return (self.rng.randrange(SIZE_MAX // SECTOR) * SECTOR, self.rng.randrange(1, LENGTH_MAX // SECTOR) * SECTOR)

    def data(self, length):
        return self.rng.randbytes(min(length, 64)) * (length // 64 + 1)

    def write(self):
        name, (offset, length) = self.name(), self.extent()
        data = self.data(length)[:length]
        return f'write {name} {offset}+{length}', lambda side: side.write(name, offset, data)

    def append(self):
        name, length = self.name(), self.rng.randrange(1, 5000)
        data = self.data(length)[:length]
        return f'append {name} {length}', lambda side: side.append(name, data)

    def read(self):
        name, (offset, length) = self.name(), self.extent()
        return f'read {name} {offset}+{length}', lambda side: side.read(name, offset, length)

    def truncate(self):
        name, (size, _) = self.name(), self.extent()
        return f'truncate {name} {size}', lambda side: side.truncate(name, size)

    def map_write(self):
        name, (offset, length) = self.name(), self.extent()
        data = self.data(length)[:length]
        return f'map write {name} {offset}+{length}', lambda side: side.map_write(name, offset, data)

    def map_read(self):
        name, (offset, length) = self.name(), self.extent()
        return f'map read {name} {offset}+{length}', lambda side: side.map_read(name, offset, length)

    def direct_write(self):
        name, (offset, length) = self.name(), self.sectors()
        data = self.data(length)[:length]
        return f'direct write {name} {offset}+{length}', lambda side: side.direct_write(name, offset, data)

    def direct_read(self):
        name, (offset, length) = self.name(), self.sectors()
        return f'direct read {name} {offset}+{length}', lambda side: side.direct_read(name, offset, length)

    def copy(self):
        source, target = self.rng.sample(NAMES, 2)
        offset, length = self.extent()
        return f'copy {source} {target} {offset}+{length}', lambda side: side.copy(source, target, offset, length)

    def rename(self):
        source, target = self.rng.sample(NAMES, 2)
        return f'rename {source} {target}', lambda side: side.rename(source, target)

    def unlink(self):
        name = self.name()
        return f'unlink {name}', lambda side: side.unlink(name)

    def reopen(self):
        name = self.name()
        return f'reopen {name}', lambda side: side.close(name)

    def sync(self):
        name, data_only = self.name(), self.rng.random() < 0.5
        return f'sync {name}', lambda side: side.sync(name, data_only)

    def drop_cache(self):
        name = self.name()
        return f'drop cache {name}', lambda side: side.drop_cache(name)

    def describe(self):
        name = self.name()
        return f'stat {name}', lambda side: side.describe(name)

    def allocate(self):
        name, (offset, length) = self.name(), self.extent()
        kind = self.rng.choice(sorted(self.modes))
        mode = MODES[kind]
        return f'{kind} {name} {offset}+{length}', lambda side: side.allocate(name, mode, offset, length)


def attempt(operation, side):
    try:
        return operation(side)
    except OSError as error:
        return errno.errorcode.get(error.errno, error.errno)


def modes_of(model):
    """The modes of fallocate that the model has: some file systems lack some."""
    modes, path = set(), f'{model}/.probe'
    with open(path, 'wb') as file:
        file.write(b'x' * 8192)
        file.flush()
        for kind, mode in MODES.items():
            try:
                fallocate(file.fileno(), mode, 0, 100)
                modes.add(kind)
            except OSError as error:
                if error.errno != errno.EOPNOTSUPP:
                    raise
    os.unlink(path)
    return modes


def short(outcome):
    text = repr(outcome)
    return text if len(text) < 200 else f'{text[:90]}… ({len(outcome)})'


def first_difference(one, other):
    for index, pair in enumerate(zip(one, other)):
        if pair[0] != pair[1]:
            return index
    return min(len(one), len(other))


def compare(directory, model):
    """Returns what differs, or None."""
    trees = []
    for root in (directory, model):
        trees.append(sorted(os.path.relpath(os.path.join(base, name), root)
                            for base, names, files in os.walk(root) for name in names + files))
    if trees[0] != trees[1]:
        return f'names differ: {trees[0]} and {trees[1]}'
    for name in trees[0]:
        paths = [os.path.join(root, name) for root in (directory, model)]
        if os.path.isdir(paths[0]):
            continue
        one, other = (open(path, 'rb').read() for path in paths)
        if one != other:
            return f'{name} differs at byte {first_difference(one, other)} of {len(one)} and {len(other)}'
    return None


def run(directory, model, seed, count):
    sides = (Side(directory), Side(model))
    generator = Generator(random.Random(seed), modes_of(model))
    history = []
    for index in range(count):
        text, operation = generator.next()
        history.append(text)
        seen, expected = (attempt(operation, side) for side in sides)
        if seen != expected:
            where = ''
            if isinstance(seen, bytes) and isinstance(expected, bytes):
                where = f' (first at byte {first_difference(seen, expected)})'
            last = '\n  '.join(history[-HISTORY_SHOWN:])
            sys.exit(f'operation {index} of this round: {short(seen)} instead of {short(expected)}{where}\n  {last}')
    difference = compare(directory, model)
    if difference is not None:
        last = '\n  '.join(history[-HISTORY_SHOWN:])
        sys.exit(f'after {count} operations of this round {difference}\n  {last}')


if sys.argv[1] == 'run':
    run(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
else:
    different = compare(sys.argv[2], sys.argv[3])
    if different is not None:
        sys.exit(different)
