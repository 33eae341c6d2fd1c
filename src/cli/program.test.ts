import {spawnSync} from 'node:child_process';
import {describe, expect, test, vi} from 'vitest';
import {borealisProgram, runCli} from './program.ts';

const commands = borealisProgram().commands;

function capture(): {out: () => string; err: () => string} {
  const texts = {out: '', err: ''};
  vi.spyOn(process.stdout, 'write').mockImplementation(text => {
    texts.out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation(text => {
    texts.err += String(text);
    return true;
  });
  return {out: () => texts.out, err: () => texts.err};
}

async function run(...args: string[]): Promise<{status: number; out: string; err: string}> {
  const output = capture();
  try {
    const status = await runCli(args);
    return {status, out: output.out(), err: output.err()};
  } finally {
    vi.restoreAllMocks();
    process.exitCode = undefined;
  }
}

test('the commands are those of the manual', () => {
  expect(commands.map(command => command.name())).toEqual(
    'up down status create clone add-reader failover list show storage zone metrics url psql delete scrub check quota env ca doctor demo'.split(
      ' ',
    ),
  );
});

/** `zone` has commands of its own. */
const manuals = commands.flatMap(command =>
  command.commands.length === 0
    ? [command.name()]
    : command.commands.map(part => `${command.name()} ${part.name()}`),
);

describe.each(manuals)('borealis %s --help', name => {
  test('shows usage, examples, --json and exit statuses, and exits with 0', async () => {
    const {status, out} = await run(...name.split(' '), '--help');
    expect(status).toBe(0);
    expect(out).toContain(`Usage: borealis ${name}`);
    expect(out).toMatch(/\nExamples:\n {2}# \S.*\n {2}\S/);
    expect(out).toContain('--json');
    expect(out).toContain('\nExit status:\n  0  done');
  });

  test('fits 100 columns', async () => {
    const {out} = await run(...name.split(' '), '--help');
    expect(out.split('\n').filter(line => line.length > 100)).toEqual([]);
  });
});

describe('bad usage', () => {
  test.each<[string, string[], RegExp]>([
    ['an unknown command', ['lst'], /unknown command 'lst'[\s\S]*list/],
    ['a missing name', ['create'], /missing required argument 'name'/],
    ['an unknown option', ['list', '--nope'], /unknown option '--nope'/],
    ['too many arguments', ['url', 'a', 'b'], /too many arguments/],
    ['a runtime that is none', ['up', '--engine-runtime', 'x'], /native, pglite, auto/],
    ['a port that is none', ['up', '--port', '70000'], /--port "70000" is not a port.*0 to 65535/],
    ['port 0 of a cluster', ['create', 'a', '--port', '0'], /--port "0" is not a port.*1 to/],
    [
      'a name that leaves no room for the writer’s',
      ['create', 'a'.repeat(57)],
      /has 57 characters; at most 56/,
    ],
  ])('%s is told and exits with 2', async (_, args, message) => {
    const {status, err} = await run(...args);
    expect(err).toMatch(message);
    expect(status).toBe(2);
  });
});

describe('without a service', () => {
  test.each([
    ['list'],
    ['show', 'a'],
    ['create', 'a'],
    ['clone', 'a', 'b'],
    ['url', 'a'],
    ['env'],
    ['psql', 'a'],
    ['delete', 'a', '--yes'],
    ['status'],
  ])('%s exits with 5 and names `borealis up`', async (...args) => {
    const {status, out, err} = await run(...args, '--data', '/nonexistent/borealis');
    expect(out + err).toContain('`borealis up --data /nonexistent/borealis`');
    expect(status).toBe(5);
  });

  test('--json puts the error on stdout as one document', async () => {
    const {status, out} = await run('list', '--json', '--data', '/nonexistent/borealis');
    expect(status).toBe(5);
    expect(JSON.parse(out)).toMatchObject({
      error: {kind: 'closed', code: 'service-not-running'},
    });
  });

  test('--json puts a usage error on stdout as well', async () => {
    const {status, out} = await run('clone', '--json', 'only-one');
    expect(status).toBe(2);
    expect(JSON.parse(out)).toEqual({
      error: {kind: 'invalid', code: 'Usage', message: "missing required argument 'name'"},
    });
  });

  test('output that cannot be written is told in one sentence', () => {
    const script = `"${process.execPath}" --import tsx src/cli/main.ts --help > /dev/full`;
    const {status, stderr} = spawnSync('sh', ['-c', script], {encoding: 'utf8'});
    expect(status).toBe(1);
    expect(stderr).toMatch(/^borealis: the output cannot be written: .*ENOSPC.*\n$/);
  });

  test('ca names the command that makes the authority', async () => {
    const {status, err} = await run('ca', '--data', '/nonexistent/borealis');
    expect(err).toMatch(/There is no \/nonexistent\/borealis\/.*`borealis up`/);
    expect(status).toBe(3);
  });

  test('down has nothing to do, which is no error', async () => {
    const {status, out} = await run('down', '--json', '--data', '/nonexistent/borealis');
    expect(status).toBe(0);
    expect(JSON.parse(out)).toMatchObject({stopped: false});
  });
});
