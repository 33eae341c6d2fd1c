/** Needs /dev/fuse and mounts. Each test mounts in namespaces of its own; nothing is left behind. */
import {execFileSync} from 'node:child_process';
import {chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {sleep, systemClock} from '../../base/clock.ts';
import {entryPoint} from '../../base/entry-point.ts';
import type {AttachmentStatistics, ForkResult} from '../attachment.ts';
import {probeFuse} from './probe.ts';
import {Mounted, type Backing} from './testing/mounted.ts';

const probe = await probeFuse();
const missing = probe.available ? '' : ` (SKIPPED: ${probe.reason ?? ''} ${probe.remedy ?? ''})`;
const hasPython = existsSync('/usr/bin/python3') || canRun('python3', ['--version']);
const randomOperations = entryPoint('attachment/fuse/testing/random-operations');

function canRun(program: string, args: string[]): boolean {
  try {
    execFileSync(program, args, {stdio: 'ignore'});
    return true;
  } catch {
    return false;
  }
}

const start = (backing: Backing, more: object = {}): Promise<Mounted> =>
  Mounted.start({backing, asRoot: probe.asRoot, ...more});

describe.skipIf(!probe.available)(`a session on three zones${missing}`, {timeout: 60_000}, () => {
  const zones = ['a', 'b', 'c'];

  it('ends although a barrier waits for zones that are gone, and what was durable is there', async () => {
    const mounted = await start('volume', {zones});
    const kept = (zone: string): string => join(mounted.base, `${zone}-kept`);
    try {
      await mounted.run('echo one > file; sync file');
      for (const zone of ['b', 'c']) {
        // Deleted, so that it is seen by whoever has a file of it open.
        cpSync(join(mounted.base, zone), kept(zone), {recursive: true});
        rmSync(join(mounted.base, zone), {recursive: true});
      }
      await mounted.run('(echo two > other; sync other) > /dev/null 2>&1 < /dev/null & sleep 1');
      const beganMs = systemClock.monotonicMs();
      expect(await mounted.close(), mounted.log).toBe(0);
      expect(systemClock.monotonicMs() - beganMs).toBeLessThan(15_000);
      for (const zone of ['b', 'c']) {
        cpSync(kept(zone), join(mounted.base, zone), {recursive: true});
      }
      const again = await start('volume', {zones, base: mounted.base, format: false});
      expect(await again.run('cat file')).toBe('one\n');
      expect(await again.close()).toBe(0);
    } finally {
      await mounted.abandon();
    }
  });

  it('brings a zone up to date at full pace while nobody writes or reads', async () => {
    const mounted = await start('volume', {zones});
    const zone = join(mounted.base, 'c');
    try {
      await mounted.run('head -c 8M /dev/urandom > file; sync file');
      rmSync(zone, {recursive: true});
      await mounted.run('echo two > other; sync other');
      await sleep(1500);
      // From here on nothing wakes the serving thread but what is to be shown.
      mkdirSync(zone);
      const beganMs = systemClock.monotonicMs();
      const record = join(zone, 'volumes', '00000001', 'record');
      while (!existsSync(record)) {
        await sleep(20);
        // It takes some ten steps: a step each second is what this is to be far from.
        expect(systemClock.monotonicMs() - beganMs).toBeLessThan(6_000);
      }
      const sum = await mounted.run('md5sum file');
      expect(await mounted.close()).toBe(0);
      rmSync(join(mounted.base, 'a'), {recursive: true});
      const again = await start('volume', {zones, base: mounted.base, format: false});
      expect(await again.run('md5sum file')).toBe(sum);
      expect(await again.close()).toBe(0);
    } finally {
      await mounted.abandon();
    }
  });
});

describe.skipIf(!probe.available).each<Backing>(['memory', 'volume'])(
  `a mounted %s file system${missing}`,
  backing => {
    let mounted: Mounted;
    beforeAll(async () => {
      mounted = await start(backing);
    });
    afterAll(async () => {
      expect(await mounted.close()).toBe(0);
      mounted.remove();
    });

    const python = (script: string): Promise<string> =>
      mounted.run(`python3 - <<'PYTHON'\nimport os, mmap, errno, stat, fcntl\n${script}\nPYTHON`);

    it('keeps what is written', async () => {
      const script = 'echo one > new; cat new; echo two >> new; cat new; echo three > new; cat new';
      expect(await mounted.run(script)).toBe('one\none\ntwo\nthree\n');
    });

    it('reads back from the server what the page cache has dropped', async () => {
      const output = await mounted.run(`
        head -c 5000000 /dev/urandom > data; before=$(md5sum < data)
        dd if=data iflag=nocache count=0 status=none; sync data
        dd of=data oflag=nocache conv=notrunc,fdatasync count=0 status=none
        [ "$before" = "$(md5sum < data)" ] && echo same`);
      expect(output).toBe('same\n');
    });

    it('truncates on open and by name', async () => {
      const output = await mounted.run(
        'echo 123456789 > t; truncate -s 4 t; cat t; echo; truncate -s 8 t; od -An -c t; : > t; stat -c %s t',
      );
      expect(output).toBe('1234\n   1   2   3   4  \\0  \\0  \\0  \\0\n0\n');
    });

    it('renames over an existing file that is open, which stays readable', async () => {
      const output = await mounted.run(
        'echo old > r1; echo new > r2; exec 5< r1; mv r2 r1; cat r1; cat <&5; ls r2 2>/dev/null || echo gone',
      );
      expect(output).toBe('new\nold\ngone\n');
    });

    it('keeps an unlinked file while it is open, and no longer', async () => {
      const output = await mounted.run(`
        for i in $(seq 50); do exec 5<>u; echo $i >&5; rm u; cat u 2>/dev/null && exit 1; cat /dev/fd/5; exec 5>&-; done`);
      expect(output.split('\n')).toHaveLength(51);
    });

    it('links and symlinks', async () => {
      const output = await mounted.run(
        'echo x > l1; ln l1 l2; ln -s l1 l3; stat -c %h l1; readlink l3; cat l3; rm l1; stat -c %h l2; cat l2; cat l3 2>&1 || true',
      );
      expect(output).toBe('2\nl1\nx\n1\nx\ncat: l3: No such file or directory\n');
    });

    it('refuses what POSIX refuses, with its words', async () => {
      const output = await mounted.run(`
        mkdir -p full/sub
        rmdir full 2>&1 || true; rm full 2>&1 || true; mv full full/sub/x 2>&1 || true
        mkdir full 2>&1 || true; touch $(printf 'n%.0s' $(seq 256)) 2>&1 | cut -c1-20,280- || true
        ln full hard 2>&1 || true; cat nothing 2>&1 || true; rmdir full/sub full`);
      expect(output).toContain("failed to remove 'full': Directory not empty");
      expect(output).toContain("cannot remove 'full': Is a directory");
      expect(output).toContain('to a subdirectory of itself');
      expect(output).toContain('File exists');
      expect(output).toContain('File name too long');
      expect(output).toContain('cat: nothing: No such file or directory');
    });

    it('lists 5,000 entries, with and without their attributes', async () => {
      const output = await mounted.run(`
        mkdir many; (cd many; seq -f 'file-with-a-longer-name-%05g' 5000 | xargs touch)
        ls -f many | wc -l; ls -l many | wc -l; find many -type f | sort -u | wc -l
        rm -r many; ls many 2>/dev/null || echo gone`);
      expect(output).toBe('5002\n5001\n5000\ngone\n');
    });

    it('allocates, keeps the size, punches holes and zeroes', async () => {
      const output = await mounted.run(`
        fallocate -l 100000 f; stat -c %s f
        fallocate -n -l 300000 f; stat -c %s f
        head -c 100000 /dev/zero | tr '\\0' x > f
        fallocate -p -o 10000 -l 50000 f; stat -c %s f; tr -d '\\0' < f | wc -c
        fallocate -z -o 0 -l 20000 f; stat -c %s f; tr -d '\\0' < f | wc -c
        fallocate -c -o 0 -l 8192 f 2>&1 || true; rm f`);
      expect(output).toBe(
        '100000\n100000\n100000\n50000\n100000\n40000\nfallocate: fallocate failed: Operation not supported\n',
      );
    });

    it('takes direct writes and reads of 512 bytes', async () => {
      const output = await mounted.run(`
        head -c 51200 /dev/urandom > source
        dd if=source of=direct bs=512 oflag=direct,dsync status=none
        dd if=direct of=back bs=512 iflag=direct status=none; cmp source back && echo same
        dd if=source of=direct bs=512 seek=3 count=1 oflag=direct conv=notrunc status=none
        stat -c %s direct`);
      expect(output).toBe('same\n51200\n');
    });

    it.skipIf(!hasPython)(
      'maps files into memory, shared, and writes back what changes',
      async () => {
        const output = await python(`
fd = os.open('mapped', os.O_RDWR | os.O_CREAT, 0o644)
os.ftruncate(fd, 100000)
m = mmap.mmap(fd, 100000)
m[50000:50005] = b'hello'
m.flush()
print(os.pread(fd, 5, 50000))
m[8190:8195] = b'world'
m.close()
os.fsync(fd)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
print(os.pread(fd, 5, 8190), os.fstat(fd).st_size)`);
        expect(output).toBe("b'hello'\nb'world' 100000\n");
      },
    );

    it.skipIf(!hasPython)('syncs directories, and writes with O_DSYNC and O_DIRECT', async () => {
      const output = await python(`
d = os.open('.', os.O_RDONLY | os.O_DIRECTORY)
os.fsync(d)
b = mmap.mmap(-1, 8192)
b[:] = b'z' * 8192
fd = os.open('dsync', os.O_WRONLY | os.O_CREAT | os.O_DIRECT | os.O_DSYNC, 0o644)
print([os.pwritev(fd, [b], i * 8192) for i in range(3)])
fd = os.open('dsync', os.O_WRONLY | os.O_SYNC)
print(os.pwrite(fd, b'end', 24576), os.stat('dsync').st_size)`);
      expect(output).toBe('[8192, 8192, 8192]\n3 24579\n');
    });

    it.skipIf(!hasPython)('never shows data that are not written back yet as a hole', async () => {
      const output = await python(`
fd = os.open('sparse', os.O_RDWR | os.O_CREAT, 0o644)
os.pwrite(fd, b'x' * 8192, 1 << 30)
print(os.lseek(fd, 0, os.SEEK_DATA), os.lseek(fd, 0, os.SEEK_HOLE) == (1 << 30) + 8192)
print(os.fstat(fd).st_blocks > 0)
try: os.lseek(fd, (1 << 30) + 8192, os.SEEK_DATA)
except OSError as e: print(errno.errorcode[e.errno])`);
      expect(output).toBe('0 True\nTrue\nENXIO\n');
      const copies = await mounted.run(`
        head -c 300000 /dev/urandom > c1; cp c1 c2; cmp c1 c2; tar -S -cf - c1 c2 | tar -xOf - c2 | cmp - c1 && echo same`);
      expect(copies).toBe('same\n');
    });

    it('reports what a sparse file takes, once it is written back', async () => {
      const output = await mounted.run(
        'dd if=/dev/zero of=thin bs=8192 count=2 seek=1000 conv=fsync status=none; sleep 1.1; stat -c "%s %b" thin',
      );
      expect(output).toBe(`${1002 * 8192} 32\n`);
    });

    it.skipIf(!hasPython)('has no extended attributes, and makes special files', async () => {
      const output = await python(`
open('x', 'w').close()
try: os.setxattr('x', 'user.a', b'1')
except OSError as e: print(errno.errorcode[e.errno])
os.mkfifo('fifo')
print(stat.S_ISFIFO(os.stat('fifo').st_mode))
os.utime('x', ns=(-1500000000, 1700000000123456789))
print(os.stat('x').st_atime_ns, os.stat('x').st_mtime_ns)`);
      expect(output).toBe('ENOTSUP\nTrue\n-1500000000 1700000000123456789\n');
    });

    it('hands the group of a set-group-id directory down', async () => {
      const output = await mounted.run(
        'mkdir g; chgrp 55 g; chmod g+s g; mkdir g/d; touch g/f; stat -c "%g %a" g/d g/f',
      );
      expect(output).toBe('55 2755\n55 644\n');
    });

    it('clears set-user-id bits on a write by another user', async () => {
      const output = await mounted.run(
        'echo x > s; chmod 6777 s; chmod a+rwx .; stat -c %a s; exec 5>>s; ' +
          (probe.asRoot
            ? 'setpriv --reuid 1234 --clear-groups bash -c "echo y >> s"'
            : 'chmod 777 s') +
          '; stat -c %a s',
      );
      expect(output).toBe('6777\n777\n');
    });

    it('shows the file system as the engine sees its own: the engine owns the root', async () => {
      await mounted.run('chmod 755 .');
      const output = await mounted.run('id -u; stat -c %u .; mkdir mine; stat -c %u mine', true);
      const [id, ...seen] = output.trim().split('\n');
      expect(id).not.toBe('0');
      expect(seen).toEqual([id, id]);
    });

    it('reports sizes by statfs', async () => {
      const [block, free, files] = (await mounted.run('stat -f -c "%S %f %d" .'))
        .split(' ')
        .map(Number);
      expect([4096, 8192]).toContain(block);
      expect(free).toBeGreaterThan(1000);
      expect(files).toBeGreaterThan(100);
    });

    it('answers every fsync of many processes', async () => {
      const before = await mounted.call<AttachmentStatistics>('statistics');
      const output = await mounted.run(`
        for p in $(seq 8); do
          (for i in $(seq 25); do dd if=/dev/zero of=sync-$p bs=8192 count=1 seek=$i conv=notrunc,fsync status=none; done; echo done) &
        done; wait`);
      expect(output).toBe('done\n'.repeat(8));
      const after = await mounted.call<AttachmentStatistics>('statistics');
      expect(after.barriers - before.barriers).toBeGreaterThanOrEqual(100);
      expect(after.durableLsn).toBe(after.lsn);
    });

    it('is woken for calls from the main thread', async () => {
      expect(await mounted.call<number>('checkpoint')).toBeGreaterThanOrEqual(0);
      const {requests} = await mounted.call<AttachmentStatistics>('statistics');
      expect(requests).toBeGreaterThan(0);
    });

    it.each([1, 2, 3])('answers random operations as the host does (seed %i)', async seed => {
      const model = `${mounted.base}/model-${seed}`;
      const output = await mounted.run(`
        umask 022; mkdir -p random-${seed}/dir ${model}/dir
        '${process.execPath}' '${randomOperations}' $PWD/random-${seed} ${model} ${seed} 1500`);
      expect(output).toMatch(/^[0-9a-f]{64}$/);
    });
  },
);

const isUid0 = process.getuid?.() === 0;

describe.skipIf(!probe.available || !isUid0)(
  `an ordinary user, in a user namespace${missing}${isUid0 ? '' : ' (SKIPPED: needs root to make a device node)'}`,
  () => {
    it('mounts a volume and runs an engine that is not uid 0', async () => {
      const node = mkdtempSync(join(tmpdir(), 'borealis-device-'));
      chmodSync(node, 0o755);
      const device = join(node, 'fuse');
      execFileSync('mknod', ['-m', '666', device, 'c', '10', '229']);
      const mounted = await Mounted.start({
        ...{backing: 'volume', asRoot: false, uid: 65_534, fuseDevice: device},
      });
      expect(await mounted.run('id -u; echo x > mine; stat -c %u mine')).toBe('0\n0\n');
      const engine = 'id -u; echo y >> mine; cat mine; stat -c %u mine .; sync mine';
      expect(await mounted.run(engine, true)).toBe('65534\nx\ny\n65534\n65534\n');
      expect(await mounted.close()).toBe(0);
      mounted.remove();
      rmSync(node, {recursive: true});
    });
  },
);

describe.skipIf(!probe.available)(`the life of an attachment${missing}`, () => {
  it('shows the same files after it was detached and attached again', async () => {
    const first = await start('volume');
    await first.run('mkdir d; seq 100000 > d/numbers; ln -s d/numbers s; sync -f .');
    await first.run('seq 5 > unsynced');
    expect(await first.close()).toBe(0);
    const again = await start('volume', {base: first.base, format: false});
    const script = 'md5sum < s; seq 100000 | md5sum; cat unsynced | wc -l';
    const [stored, fresh, unsynced] = (await again.run(script)).split('\n');
    expect(stored).toBe(fresh);
    expect(unsynced).toBe('5');
    expect(await again.close()).toBe(0);
    again.remove();
  });

  it('keeps what was synced when its process is killed, and leaves no mount and no child', async () => {
    const first = await start('volume');
    await first.run('seq 1000 > kept; sync kept .; sleep 1000 >/dev/null 2>&1 & disown');
    await first.run(
      'for i in $(seq 100); do dd if=/dev/zero of=k bs=8k count=1 seek=$i conv=notrunc,fsync status=none; done',
    );
    const children = childrenOf(first.process.pid ?? 0);
    expect(children.length).toBeGreaterThanOrEqual(2);
    first.process.kill('SIGKILL');
    await first.exited;
    await expect.poll(() => children.filter(pid => isRunning(pid)), {timeout: 3000}).toEqual([]);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(first.base);
    const again = await start('volume', {base: first.base, format: false});
    expect(await again.run('wc -l < kept; stat -c %s k')).toBe(`1000\n${101 * 8192}\n`);
    expect(await again.close()).toBe(0);
    again.remove();
  });

  it('forks a volume under load; the child begins as the source was and goes its own way', async () => {
    const source = await start('volume');
    await source.run('echo shared > file; sync file; seq 200000 > big');
    const fork = await source.call<ForkResult>('fork', {child: 2});
    expect(fork.bytesCopied).toBe(0);
    await source.run('echo changed > file');
    const child = await start('volume', {base: source.base, volume: 2, format: false});
    expect(await child.run('cat file; echo own > file; cat file')).toBe('shared\nown\n');
    expect(await source.run('cat file')).toBe('changed\n');
    expect(await child.close()).toBe(0);
    expect(await source.close()).toBe(0);
    source.remove();
  });

  it('detaches while a file is still open', async () => {
    const mounted = await start('volume');
    await mounted.run('sleep 1000 >/dev/null 2>&1 < /dev/null 5> held & disown; echo x > written');
    expect(await mounted.close()).toBe(0);
    const again = await start('volume', {base: mounted.base, format: false});
    expect(await again.run('cat written')).toBe('x\n');
    await again.close();
    again.remove();
  });

  it('lets its process exit without having detached', async () => {
    const mounted = await start('memory');
    mounted.send({exit: 3});
    expect(await mounted.exited).toBe(3);
    mounted.remove();
  });

  it('fails as a whole when a sync fails, and answers no fsync with success', async () => {
    const mounted = await start('memory');
    await mounted.run('touch break-sync');
    await expect(mounted.run('dd if=/dev/zero of=x bs=8k count=1 conv=fsync')).rejects.toThrow(
      /EBADF/,
    );
    expect(await mounted.take('status')).not.toMatchObject({status: 0});
    await mounted.close();
    mounted.remove();
  });

  it('fails when its serving thread dies', async () => {
    const mounted = await start('memory');
    await mounted.run('touch break-serving');
    mounted.send({run: 'cat nothing'});
    expect(await mounted.take('failed')).toContain('nobody asked for this to break');
    await mounted.close();
    mounted.remove();
  });

  it('fails when somebody unmounts it', async () => {
    const mounted = await start('memory');
    // Later, so that the command's own result comes first.
    await mounted.run(`cd /; (sleep 0.2; umount ${mounted.directory}) > /dev/null 2>&1 &`);
    const messages = [await mounted.take('failed')];
    expect(messages[0]).toContain('unmounted from outside');
    await mounted.close();
    mounted.remove();
  });

  it('says why it cannot start', async () => {
    await expect(start('volume', {format: false})).rejects.toThrow(/does not exist/);
    await expect(start('memory', {fuseDevice: '/dev/no-such-fuse'})).rejects.toThrow(
      /no-such-fuse/,
    );
  });
});

function childrenOf(pid: number): number[] {
  const output = execFileSync('ps', ['-e', '-o', 'pid=,ppid='], {encoding: 'utf8'});
  const pairs = output
    .trim()
    .split('\n')
    .map(line => line.trim().split(/\s+/).map(Number));
  const found = [pid];
  for (const parent of found) {
    for (const [child = 0, above] of pairs) if (above === parent) found.push(child);
  }
  return found.slice(1);
}

function isRunning(pid: number): boolean {
  return (
    existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  );
}
