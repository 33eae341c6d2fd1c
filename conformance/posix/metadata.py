"""Permissions, owners, timestamps, extended attributes."""
import errno
import os
import stat
import time

from harness import as_user, check, drop_cache, equal, get, holds, opened, put, refuses

USER = 12_345


@check('chmod, umask and the mode that a file is made with')
def modes():
    with opened('f', mode=0o666):
        pass
    equal(stat.S_IMODE(os.stat('f').st_mode), 0o644)
    for mode in (0, 0o777, 0o4711, 0o1777, 0o640):
        os.chmod('f', mode)
        equal(stat.S_IMODE(os.stat('f').st_mode), mode)
    os.umask(0o077)
    try:
        os.mkdir('d')
        equal(stat.S_IMODE(os.stat('d').st_mode), 0o700)
    finally:
        os.umask(0o022)


@check('permissions hold against another user')
def permissions():
    put('secret', b'x')
    os.chmod('secret', 0o600)
    put('open', b'x')
    os.mkdir('closed', 0o700)
    put('closed/f', b'x')
    os.chmod('.', 0o755)

    def work():
        equal(get('open'), b'x')
        for attempt in (lambda: get('secret'), lambda: os.open('open', os.O_WRONLY),
                        lambda: os.open('new', os.O_CREAT | os.O_WRONLY), lambda: os.unlink('open'),
                        lambda: get('closed/f'), lambda: os.listdir('closed'), lambda: os.rename('open', 'x')):
            with refuses(errno.EACCES):
                attempt()
        for attempt in (lambda: os.chmod('open', 0o777), lambda: os.chown('open', USER, USER),
                        lambda: os.utime('open', (1, 1))):
            with refuses(errno.EPERM):
                attempt()

    as_user(USER, work)


@check('the sticky bit keeps others from deleting, and its absence does not')
def sticky():
    os.mkdir('d')
    os.chmod('d', 0o1777)
    put('d/f', b'')

    def refused():
        with refuses(errno.EPERM):
            os.unlink('d/f')
        put('d/own', b'')
        os.unlink('d/own')

    as_user(USER, refused)
    os.chmod('d', 0o777)
    as_user(USER, lambda: os.unlink('d/f'))


@check('a new file belongs to who made it; chown changes that and clears set-user-id')
def owners():
    os.chmod('.', 0o777)

    def work():
        put('theirs', b'')
        seen = os.stat('theirs')
        equal((seen.st_uid, seen.st_gid), (USER, USER))

    as_user(USER, work)
    put('f', b'')
    os.chmod('f', 0o6755)
    os.chown('f', USER, USER + 1)
    seen = os.stat('f')
    equal((seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode)), (USER, USER + 1, 0o755))


@check('a write by another user clears set-user-id')
def write_clears():
    put('f', b'x')
    os.chmod('f', 0o6777)

    def work():
        with opened('f', os.O_WRONLY) as fd:
            os.write(fd, b'y')

    as_user(USER, work)
    equal(stat.S_IMODE(os.stat('f').st_mode), 0o777)


@check('a set-group-id directory hands its group down')
def group_inherited():
    os.mkdir('d')
    if os.geteuid() == 0:
        os.chown('d', -1, 55)
    os.chmod('d', 0o2755)
    put('d/f', b'')
    os.mkdir('d/e')
    gid = os.stat('d').st_gid
    equal((os.stat('d/f').st_gid, os.stat('d/e').st_gid), (gid, gid))
    equal(stat.S_IMODE(os.stat('d/e').st_mode), 0o2755)


@check('access follows the permissions')
def access():
    put('f', b'')
    os.chmod('f', 0o444)
    holds(os.access('f', os.R_OK), 'it can be read')
    holds(not os.access('f', os.X_OK), 'it cannot be run')
    holds(not os.access('nothing', os.F_OK), 'it is not there')


@check('timestamps to the nanosecond, before 1970 and after 2038')
def nanoseconds():
    put('f', b'')
    for atime, mtime in ((-1_500_000_000, 1_700_000_000_123_456_789), (1, 2**32 * 10**9 + 1)):
        os.utime('f', ns=(atime, mtime))
        seen = os.stat('f')
        equal((seen.st_atime_ns, seen.st_mtime_ns), (atime, mtime))
    with opened('f') as fd:
        os.fsync(fd)
    os.symlink('f', 's')
    os.utime('s', ns=(5, 6), follow_symlinks=False)
    equal((os.lstat('s').st_mtime_ns, os.stat('f').st_mtime_ns), (6, 2**32 * 10**9 + 1))


def moves(field, path, change):
    before = getattr(os.stat(path), field)
    for _ in range(20):
        # Clocks of file systems tick in milliseconds.
        time.sleep(0.02)
        change()
        if getattr(os.stat(path), field) > before:
            return
    raise AssertionError(f'{field} of {path} does not move')


@check('what moves mtime and ctime')
def times_move():
    put('f', b'x')
    os.mkdir('d')
    moves('st_mtime_ns', 'f', lambda: put('f', b'y'))
    moves('st_ctime_ns', 'f', lambda: os.chmod('f', 0o600))
    moves('st_mtime_ns', 'f', lambda: os.truncate('f', os.stat('f').st_size + 1))
    moves('st_ctime_ns', 'f', lambda: (os.link('f', 'g'), os.unlink('g')))
    moves('st_mtime_ns', 'd', lambda: put('d/a', b''))
    moves('st_mtime_ns', 'd', lambda: (put('d/b', b''), os.unlink('d/b')))
    moves('st_ctime_ns', 'f', lambda: (os.rename('f', 'h'), os.rename('h', 'f')))


@check('what leaves mtime alone')
def times_stay():
    put('f', b'x')
    os.utime('f', ns=(10**18, 10**18))
    with opened('f') as fd:
        os.pread(fd, 1, 0)
        os.chmod('f', 0o600)
        drop_cache(fd)
    os.link('f', 'g')
    equal(os.stat('f').st_mtime_ns, 10**18)


@check('times that were set stay when the written data arrive later')
def times_after_write():
    with opened('f') as fd:
        os.pwrite(fd, b'x' * 100_000, 0)
        os.utime('f', ns=(10**18, 10**18))
        drop_cache(fd)
        equal(os.fstat(fd).st_mtime_ns, 10**18)
    equal(os.stat('f').st_mtime_ns, 10**18)


@check('extended attributes: kept, or refused with ENOTSUP')
def xattrs():
    put('f', b'')
    try:
        os.setxattr('f', 'user.a', b'1')
    except OSError as error:
        equal(error.errno, errno.ENOTSUP)
        with refuses(errno.ENOTSUP):
            os.getxattr('f', 'user.a')
        return
    equal((os.getxattr('f', 'user.a'), os.listxattr('f')), (b'1', ['user.a']))
