import {execFileSync} from 'node:child_process';
import {describe, expect, it} from 'vitest';
import {engineCommand, namespaceCommand} from './namespace.ts';
import {probeFuse} from './probe.ts';

const user = {uid: 26_000, gid: 26_001};

describe('namespaces of an instance', () => {
  it('need no user namespace as root', () => {
    expect(namespaceCommand(['node', 'x'], {asRoot: true}).join(' ')).toBe(
      'unshare --mount --propagation slave --pid --fork --kill-child -- node x',
    );
    expect(engineCommand(['postgres'], {asRoot: true, user})).toEqual({
      argv: ['postgres'],
      owner: user,
    });
  });

  it('make an ordinary user 0 inside, and somebody else again for the engine', () => {
    const engine = engineCommand(['id', '-u'], {asRoot: false, user});
    expect(engine.owner).toEqual({});
    expect(namespaceCommand([...engine.argv], {asRoot: false}).join(' ')).toBe(
      'unshare --user --map-root-user --mount --propagation slave --pid --fork --kill-child -- ' +
        'unshare --user --map-user=26000 --map-group=26001 -- id -u',
    );
  });

  it('use options that unshare here knows', () => {
    const help = execFileSync('unshare', ['--help'], {encoding: 'utf8'});
    const options = namespaceCommand(engineCommand([], {asRoot: false, user}).argv, {asRoot: false})
      .filter(word => word.startsWith('--') && word.length > 2)
      .map(word => word.split('=')[0] ?? '');
    for (const option of options) expect(help).toContain(option);
  });
});

describe('the probe for FUSE', () => {
  it('says what is missing and what to do about it, in one sentence each', async () => {
    const before = process.env['BOREALIS_FUSE_DEVICE'];
    process.env['BOREALIS_FUSE_DEVICE'] = '/dev/no-such-fuse';
    const probe = await probeFuse();
    if (before === undefined) delete process.env['BOREALIS_FUSE_DEVICE'];
    else process.env['BOREALIS_FUSE_DEVICE'] = before;
    expect(probe).toMatchObject({available: false});
    expect(probe.reason).toMatch(/^There is no FUSE device at \/dev\/no-such-fuse\.$/);
    expect(probe.remedy).toMatch(/modprobe fuse/);
  });
});
