"""What the checks share. A check is a function that runs in an empty directory of its own, on the file
system under test; it fails by an exception and may say by Skip that this machine cannot run it."""
import contextlib
import ctypes
import errno
import os
import time

CHECKS = []  # (name, function, slow), in the order in which they are told

FALLOC_FL_KEEP_SIZE = 0x01
FALLOC_FL_PUNCH_HOLE = 0x02
FALLOC_FL_ZERO_RANGE = 0x10

_libc = ctypes.CDLL(None, use_errno=True)


class Skip(Exception):
    """The check does not apply here; the text says why."""


def check(name, slow=False):
    """Takes a function into the list. `slow` ones are left out of the fast subset."""

    def register(function):
        CHECKS.append((name, function, slow))
        return function

    return register


def equal(seen, expected, what=''):
    if seen != expected:
        text = f'{seen!r:.200} instead of {expected!r:.200}'
        raise AssertionError(f'{what}: {text}' if what else text)


def holds(condition, what):
    if not condition:
        raise AssertionError(what)


def eventually(fact, what):
    """For what a file system may show a little later, as it does attributes that it holds for a while."""
    for _ in range(30):
        if fact():
            return
        time.sleep(0.1)
    raise AssertionError(f'not within three seconds: {what}')


@contextlib.contextmanager
def refuses(*codes):
    """The block must fail with one of these errnos."""
    names = '/'.join(errno.errorcode[code] for code in codes)
    try:
        yield
    except OSError as error:
        if error.errno not in codes:
            got = errno.errorcode.get(error.errno, error.errno)
            raise AssertionError(f'{got} instead of {names}') from error
        return
    raise AssertionError(f'success instead of {names}')


@contextlib.contextmanager
def opened(path, flags=os.O_RDWR | os.O_CREAT, mode=0o644):
    fd = os.open(path, flags, mode)
    try:
        yield fd
    finally:
        os.close(fd)


def put(path, data):
    with opened(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as fd:
        equal(os.write(fd, data), len(data), 'bytes written')


def get(path):
    with open(path, 'rb') as file:
        return file.read()


def drop_cache(fd):
    """Writes the file back and forgets it, so that the next read asks the file system."""
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


def fallocate(fd, mode, offset, length):
    result = _libc.fallocate(fd, mode, ctypes.c_int64(offset), ctypes.c_int64(length))
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def renameat2(source, target, flags):
    at_cwd = -100
    result = _libc.renameat2(at_cwd, os.fsencode(source), at_cwd, os.fsencode(target), flags)
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def link_descriptor(fd, target):
    """Gives an open file another name, through /proc, as linkat(2) tells."""
    at_cwd, follow = -100, 0x400
    result = _libc.linkat(at_cwd, f'/proc/self/fd/{fd}'.encode(), at_cwd, os.fsencode(target), follow)
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def in_child(work):
    """Runs `work` in a forked process; what it raises fails here."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as error:  # noqa: B902: told to the parent, whatever it is
            os.write(writer, f'{type(error).__name__}: {error}'.encode()[:4000] or b'?')
        os._exit(0)
    os.close(writer)
    with open(reader, 'rb') as stream:
        complaint = stream.read().decode()
    os.waitpid(pid, 0)
    if complaint:
        raise AssertionError(f'in another process: {complaint}')


def as_user(uid, work):
    """Runs `work` in a forked process of an ordinary user."""
    if os.geteuid() != 0:
        raise Skip('needs root, to become another user')

    def become():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        work()

    in_child(become)
