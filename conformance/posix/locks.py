"""Locks between processes and descriptors."""
import errno
import fcntl
import os
import struct

from harness import check, in_child, opened, put, refuses

WOULD_BLOCK = (errno.EAGAIN, errno.EACCES)
EXCLUSIVE = fcntl.LOCK_EX | fcntl.LOCK_NB
SHARED = fcntl.LOCK_SH | fcntl.LOCK_NB


def denied(operation, *extent):
    def work():
        with opened('f') as mine, refuses(*WOULD_BLOCK):
            fcntl.lockf(mine, operation, *extent)

    in_child(work)


def granted(operation, *extent):
    def work():
        with opened('f') as mine:
            fcntl.lockf(mine, operation, *extent)

    in_child(work)


@check('fcntl locks: an exclusive one keeps others out until it goes')
def exclusive():
    with opened('f') as fd:
        fcntl.lockf(fd, EXCLUSIVE)
        denied(EXCLUSIVE)
        denied(SHARED)
        fcntl.lockf(fd, fcntl.LOCK_UN)
        granted(EXCLUSIVE)


@check('fcntl locks: shared ones go together, also after a change of kind')
def shared():
    with opened('f') as fd:
        fcntl.lockf(fd, SHARED)
        granted(SHARED)
        denied(EXCLUSIVE)
        fcntl.lockf(fd, EXCLUSIVE)
        denied(SHARED)


@check('fcntl locks: ranges are apart from each other, and can be cut')
def ranges():
    with opened('f') as fd:
        fcntl.lockf(fd, EXCLUSIVE, 100, 0)
        granted(EXCLUSIVE, 100, 100)
        denied(EXCLUSIVE, 1, 99)
        fcntl.lockf(fd, fcntl.LOCK_UN, 50, 25)
        granted(EXCLUSIVE, 50, 25)
        denied(EXCLUSIVE, 1, 24)
        denied(EXCLUSIVE, 1, 75)


@check('fcntl locks: closing any descriptor of the file lets go')
def close_lets_go():
    with opened('f') as fd:
        fcntl.lockf(fd, EXCLUSIVE)
        with opened('f'):
            pass
        granted(EXCLUSIVE)


@check('fcntl locks: those of open file descriptions stay until the last close')
def open_file_descriptions():
    set_lock, length = 37, struct.calcsize('hhqqi4x')
    lock = struct.pack('hhqqi4x', fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    assert len(lock) == length
    with opened('f') as fd:
        fcntl.fcntl(fd, set_lock, lock)
        with opened('f') as other, refuses(*WOULD_BLOCK):
            fcntl.fcntl(other, set_lock, lock)
        denied(EXCLUSIVE)
    granted(EXCLUSIVE)


@check('flock: between descriptors, and gone with its process')
def flock():
    put('f', b'')
    with opened('f') as fd, opened('f') as other:
        fcntl.flock(fd, EXCLUSIVE)
        with refuses(errno.EWOULDBLOCK):
            fcntl.flock(other, EXCLUSIVE)
        fcntl.flock(fd, SHARED)
        fcntl.flock(other, SHARED)
        fcntl.flock(fd, fcntl.LOCK_UN)
        fcntl.flock(other, EXCLUSIVE)
        fcntl.flock(other, fcntl.LOCK_UN)

    def take():
        leaked = os.open('f', os.O_RDWR)
        fcntl.flock(leaked, EXCLUSIVE)

    in_child(take)
    with opened('f') as fd:
        fcntl.flock(fd, EXCLUSIVE)


@check('fcntl locks: one that waits gets it when the other goes')
def waiting():
    with opened('f') as fd:
        fcntl.lockf(fd, EXCLUSIVE)
        ready, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                with opened('f') as mine:
                    os.write(tell, b'.')
                    fcntl.lockf(mine, fcntl.LOCK_EX)
                    os.pwrite(mine, b'got', 0)
                    status = 0
            finally:
                os._exit(status)
        os.read(ready, 1)
        os.pwrite(fd, b'had', 0)
        fcntl.lockf(fd, fcntl.LOCK_UN)
        _, status = os.waitpid(pid, 0)
        os.close(ready)
        os.close(tell)
        assert status == 0, f'the other process ended with {status}'
        assert os.pread(fd, 3, 0) == b'got', 'and wrote afterwards'
