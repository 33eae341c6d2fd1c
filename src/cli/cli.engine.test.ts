/** The compiled command against a real service, on every runtime that this machine has. */
import {spawn, spawnSync, type ChildProcess} from 'node:child_process';
import {X509Certificate} from 'node:crypto';
import {once} from 'node:events';
import {mkdtemp, readdir, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Client} from 'pg';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {sleep} from '../base/clock.ts';
import {probeFuse} from '../attachment/fuse/probe.ts';
import {entryPoint} from '../base/entry-point.ts';
import {issueAuthority} from '../base/x509.ts';
import {parsePage, valueOf} from '../api/testing/prometheus-text.ts';
import {prepareData} from '../../test/support/prepared-data.ts';

const MAIN = entryPoint('cli/main');
const fuse = await probeFuse();
/** What does not look at the runtime is tried on this one alone. */
const FIRST_RUNTIME = fuse.available ? 'native' : 'pglite';
/** All that is printable and allowed in a master password, but for letters and digits. */
const SPECIAL_PASSWORD = "!#$%&'()*+,-.:;<=>?[]^_`{|}~";

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({connectionString: url});
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

const hasPsql = spawnSync('psql', ['--version']).status === 0;
const hasAws = spawnSync('aws', ['--version']).status === 0;

type Result = {status: number | null; out: string; err: string};

describe.each(['native', 'pglite'] as const)('the command on the %s runtime', runtime => {
  const skipped = runtime === 'native' && !fuse.available;
  const why = skipped ? ` (skipped: no FUSE mounts here: ${fuse.reason})` : '';

  describe.skipIf(skipped)(`with a running service${why}`, () => {
    let directory = '';
    let service: ChildProcess;

    function testOnce(name: string, run: () => void | Promise<void>): void {
      if (runtime === FIRST_RUNTIME) test(name, run);
    }

    /** Asynchronous, since a test connects to what it started. */
    async function borealis(args: readonly string[], input = ''): Promise<Result> {
      const child = spawn(process.execPath, [MAIN, ...args], {
        env: {...process.env, BOREALIS_DATA: directory, NO_COLOR: '1'},
      });
      const result: Result = {status: null, out: '', err: ''};
      child.stdout.on('data', chunk => (result.out += String(chunk)));
      child.stderr.on('data', chunk => (result.err += String(chunk)));
      child.stdin.end(input);
      await once(child, 'close');
      result.status = child.exitCode;
      return result;
    }

    async function json(...args: string[]): Promise<Record<string, unknown>> {
      const {status, out, err} = await borealis([...args, '--json']);
      expect(status, err).toBe(0);
      return JSON.parse(out);
    }

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'borealis-cli-'));
      await prepareData(directory, runtime);
      service = spawn(
        process.execPath,
        [MAIN, 'up', '--json', '--port', '0', '--data', directory, '--engine-runtime', runtime],
        {stdio: ['ignore', 'pipe', 'inherit', 'ipc']},
      );
      const [chunk] = await Promise.race([
        once(service.stdout!, 'data'),
        once(service, 'exit').then(() => {
          throw new Error('borealis up ended before it was ready');
        }),
      ]);
      expect(JSON.parse(String(chunk))).toMatchObject({
        region: 'us-east-1',
        dataDirectory: directory,
      });
    });

    afterAll(async () => {
      if (service.exitCode === null && service.kill('SIGTERM')) await once(service, 'exit');
      await rm(directory, {recursive: true, force: true});
    });

    test('status says where it runs', async () => {
      expect(await json('status')).toMatchObject({running: true, region: 'us-east-1'});
      expect((await borealis(['status'])).out).toContain('http://127.0.0.1:');
    });

    testOnce('metrics prints the page, and how to have it scraped', async () => {
      const page = parsePage((await borealis(['metrics'])).out);
      expect(valueOf(page, 'borealis_ready')).toBe(1);
      const {url, tokenFile, config} = await json('metrics', '--scrape-config');
      expect((await stat(String(tokenFile))).mode & 0o777).toBe(0o600);
      expect(config).toBe((await borealis(['metrics', '--scrape-config'])).out);
      expect(config).toContain(`credentials_file: "${join(directory, 'metrics-token')}"`);
      expect(config).toContain(new URL(String(url)).host);
    });

    test('list says how to begin when there is nothing', async () => {
      expect((await borealis(['list'])).out).toContain('borealis create NAME');
    });

    testOnce('quota lists and changes, and refuses what is none', async () => {
      expect((await borealis(['quota'])).out).toMatch(/^DBClusters +0 +40$/m);
      expect(await json('quota', 'dbclusters', '50')).toEqual({
        quotas: [{name: 'DBClusters', used: 0, limit: 50}],
      });
      expect((await borealis(['quota', 'DBClusters'])).out).toMatch(/^DBClusters +0 +50$/m);
      expect((await borealis(['quota', 'Colours', '1'])).err).toContain('ManualClusterSnapshots');
      expect((await borealis(['quota', 'DBClusters', 'many'])).status).not.toBe(0);
    });

    test('create prints one line on stdout, the URL, and it answers', async () => {
      const {status, out, err} = await borealis(
        ['create', 'orders', '--password', '-'],
        `${SPECIAL_PASSWORD}\n`,
      );
      expect(status, err).toBe(0);
      expect(out).toMatch(/^postgresql:\/\/postgres:[^\n]+\n$/);
      expect(err).toMatch(/✔ start writer orders-writer {2}\d/);
      expect(await query(out.trim(), 'CREATE TABLE t AS SELECT 1 AS a')).toEqual([]);
      expect(await query(out.trim(), 'SELECT a FROM t')).toEqual([{a: 1}]);
    });

    testOnce('the password is kept for url, readable by its owner alone', async () => {
      const {out} = await borealis(['url', 'orders']);
      expect(decodeURIComponent(new URL(out).password)).toBe(SPECIAL_PASSWORD);
      const [file = ''] = await readdir(join(directory, 'passwords'));
      expect((await stat(join(directory, 'passwords', file))).mode & 0o777).toBe(0o600);
      expect((await borealis(['url', 'orders', '--no-password'])).out).not.toContain('%');
    });

    testOnce(
      'ca prints the authority, by which url --tls has every endpoint verified',
      async () => {
        const pem = (await borealis(['ca'])).out;
        const authority = new X509Certificate(pem);
        expect(authority.ca).toBe(true);
        const shown = await json('ca');
        expect(shown).toMatchObject({certificate: pem});
        expect(await readFile(String(shown['file']), 'utf8')).toBe(pem);
        const strange = join(directory, 'strange.pem');
        const other = issueAuthority('another', {notBeforeMs: 0, notAfterMs: 4e12});
        await writeFile(strange, other.certificate);
        for (const more of [[], ['--reader']]) {
          const url = new URL((await borealis(['url', 'orders', '--tls', ...more])).out.trim());
          expect(url.searchParams.get('sslmode')).toBe('verify-full');
          expect(url.searchParams.get('sslrootcert')).toBe(shown['file']);
          expect(await query(url.href, 'SELECT a FROM t')).toEqual([{a: 1}]);
          url.searchParams.set('sslrootcert', strange);
          await expect(query(url.href, 'SELECT 1')).rejects.toThrow('unable to verify');
        }
      },
    );

    testOnce('a taken name is a conflict, exit status 4', async () => {
      const {status, err} = await borealis(['create', 'orders']);
      expect(err).toMatch(/already exists.*orders/);
      expect(status).toBe(4);
    });

    test.runIf(runtime === 'native')(
      'a reader is added, takes over and goes',
      async () => {
        expect(await json('add-reader', 'orders')).toMatchObject({identifier: 'orders-reader-1'});
        const readerUrl = (await borealis(['url', 'orders', '--reader'])).out.trim();
        expect(new URL(readerUrl).hostname).toBe('127.0.0.2');
        const inRecovery = 'SELECT pg_is_in_recovery() AS it';
        expect(await query(readerUrl, inRecovery)).toEqual([{it: true}]);
        expect((await borealis(['show', 'orders'])).out).toMatch(/role +reader/);
        expect(await json('failover', 'orders', '--target', 'orders-reader-1')).toMatchObject({
          writer: 'orders-reader-1',
        });
        expect((await borealis(['failover', 'orders', '--target', 'nobody'])).status).toBe(3);
        expect(await json('failover', 'orders', '--target', 'orders-writer')).toMatchObject({
          writer: 'orders-writer',
        });
        const url = (await borealis(['url', 'orders'])).out.trim();
        expect(await query(url, inRecovery)).toEqual([{it: false}]);
      },
      60_000,
    );

    test.runIf(runtime === 'pglite')('a reader is refused, and why', async () => {
      const {status, err} = await borealis(['add-reader', 'orders']);
      expect(err).toContain('cannot replicate');
      expect(status).toBe(4);
    });

    test('clone prints its URL and the time to the first query, and has the source’s rows', async () => {
      const {status, out, err} = await borealis(['clone', 'orders', 'orders-dev']);
      expect(status, err).toBe(0);
      expect(err).toMatch(/ to the first query, 0 B copied/);
      expect(await query(out.trim(), 'SELECT a FROM t')).toEqual([{a: 1}]);
    });

    test('list draws the tree', async () => {
      const {out} = await borealis(['list', '--fresh']);
      expect(out).toMatch(/^orders +available +\S/m);
      expect(out).toMatch(/^└─ orders-dev +available +\S/m);
      expect(await json('list')).toMatchObject({
        clusters: [
          {identifier: 'orders', clonedFrom: null, sourceDeleted: false},
          {identifier: 'orders-dev', clonedFrom: 'orders', sourceDeleted: false},
        ],
      });
    });

    testOnce('a broken pipe is quiet, and has no colours in a CI job either', () => {
      const script = `"${process.execPath}" "${MAIN}" show orders --data "${directory}" | head -1`;
      const env = {...process.env, CI: 'true'};
      const {stdout, stderr} = spawnSync('sh', ['-c', script], {encoding: 'utf8', env});
      expect(stdout).toMatch(/^cluster +orders\n$/);
      expect(stderr).toBe('');
    });

    test('show tells runtime, server and origin', async () => {
      expect(await json('show', 'orders-dev')).toMatchObject({runtime, clonedFrom: 'orders'});
      expect((await borealis(['show', 'orders-dev'])).out).toMatch(/^copied at birth +0 B$/m);
    });

    test.skipIf(!hasPsql)(
      'psql (skipped where none is installed) runs what follows -- and passes its exit status on',
      async () => {
        const ok = await borealis(['psql', 'orders', '--', '-XAtc', 'SELECT a + 41 FROM t']);
        expect(ok).toMatchObject({status: 0, out: '42\n'});
        const failed = await borealis(['psql', 'orders', '--', '-Xc', 'SELECT nonsense']);
        expect(failed.status).toBe(1);
      },
    );

    test.skipIf(!hasPsql || !hasAws)(
      'env (skipped without psql or aws) points psql and the AWS CLI at it',
      () => {
        const env = `eval "$("${process.execPath}" "${MAIN}" env orders --data "${directory}")"`;
        const run = (command: string): string => {
          const script = `${env}; ${command}`;
          const {status, stdout, stderr} = spawnSync('sh', ['-c', script], {encoding: 'utf8'});
          expect(status, stderr).toBe(0);
          return stdout;
        };
        expect(run("psql -XAtc 'SELECT 1'")).toBe('1\n');
        const call = 'aws rds describe-db-clusters --endpoint-url "$AWS_ENDPOINT_URL_RDS"';
        const names = "--query 'DBClusters[].DBClusterIdentifier' --output text";
        expect(run(`${call} ${names}`).trim().split(/\s+/)).toEqual(['orders', 'orders-dev']);
      },
    );

    for (const command of ['show', 'url', 'psql', 'delete']) {
      testOnce(
        `${command} of a cluster that is not there names those that are, exit status 3`,
        async () => {
          const {status, err} = await borealis([command, 'nope']);
          expect(err).toContain('There is no cluster "nope"; there are: orders, orders-dev');
          expect(status).toBe(3);
        },
      );
    }

    testOnce(
      'clone of a source that is not there names those that are, exit status 3',
      async () => {
        const {status, err} = await borealis(['clone', 'nope', 'x']);
        expect(err).toContain('there are: orders, orders-dev');
        expect(status).toBe(3);
      },
    );

    testOnce('a password that is not allowed is told without repeating it', async () => {
      const {status, err} = await borealis(['create', 'x', '--password', 's3cr3t/s3cr3t']);
      expect(err).toContain('MasterUserPassword');
      expect(err).not.toContain('s3cr3t');
      expect(status).toBe(2);
    });

    testOnce('a second service on the directory is refused, exit status 4', async () => {
      const {status, err} = await borealis(['up', '--port', '0', '--engine-runtime', runtime]);
      expect(err).toContain(`is in use by the Borealis service with process id ${service.pid}`);
      expect(status).toBe(4);
    });

    testOnce('delete wants --yes where it cannot ask', async () => {
      const {status, err} = await borealis(['delete', 'orders']);
      expect(err).toContain('--yes');
      expect(status).toBe(2);
    });

    test('delete removes the source, its password goes, and its clone reads on below a gone parent', async () => {
      expect(await borealis(['delete', 'orders', '--yes'])).toMatchObject({status: 0});
      expect(await readdir(join(directory, 'passwords'))).toHaveLength(1);
      expect((await borealis(['list'])).out).toMatch(/^orders \(deleted\)\n└─ orders-dev /m);
      const {out} = await borealis(['url', 'orders-dev']);
      expect(await query(out.trim(), 'SELECT a FROM t')).toEqual([{a: 1}]);
    });

    test('storage adds up, and names what a clone holds of the deleted cluster', async () => {
      const report = await json('storage', '--fresh');
      expect(report).toMatchObject({clusters: [{identifier: 'orders-dev', historyBytes: 0}]});
      const [one] = report['clusters'] as Record<string, number>[];
      expect(one?.['logicalBytes']).toBe(
        (one?.['exclusiveBytes'] ?? 0) + (one?.['sharedBytes'] ?? 0),
      );
      expect(report).toMatchObject({
        deleted: [{identifier: 'orders', heldBy: [{identifier: 'orders-dev'}]}],
      });
      expect((await borealis(['storage'])).out).toMatch(/of deleted orders .* held by orders-dev/);
      expect(await json('storage', 'orders-dev')).toMatchObject({
        heldOfDeleted: [{identifier: 'orders'}],
      });
      expect((await borealis(['storage', 'nope'])).status).toBe(3);
    });

    test('scrub reads everything on the running service, and status remembers it', async () => {
      const one = await json('scrub', 'orders-dev', '--rate', '0');
      expect(one).toMatchObject({outcome: 'clean', cluster: 'orders-dev', report: {volumes: 1}});
      const all = await json('scrub');
      expect(all).toMatchObject({outcome: 'clean', cluster: null});
      const {report} = all as {report: {volumes: number; zones: {units: number}[]}};
      expect(report.volumes).toBeGreaterThan(1);
      expect(report.zones[0]?.units).toBeGreaterThan(1_000);
      expect((await borealis(['status'])).out).toMatch(
        /last scrub +.*nothing is wrong; next one due/,
      );
      expect((await borealis(['scrub', 'nope'])).status).toBe(3);
      expect((await borealis(['scrub', '--rate', 'fast'])).status).toBe(2);
    });

    testOnce('check is refused while a service runs, exit status 4', async () => {
      const {status, err} = await borealis(['check']);
      expect(err).toContain('is in use by the Borealis service');
      expect(status).toBe(4);
    });

    test('when everything is deleted the store is as it was before the first cluster', async () => {
      const storeOf = async (): Promise<number> => {
        const {store} = (await json('storage')) as {store: {bytesOnDisk: number}};
        return store.bytesOnDisk;
      };
      // The golden volume stays: it is what the first cluster was cloned from.
      const golden = async (): Promise<number> => {
        const names = await readdir(join(directory, 'store/us-east-1a/volumes'));
        const volume = join(directory, 'store/us-east-1a/volumes', names.sort()[0] ?? '');
        const segments = (await readdir(volume)).filter(name => name.endsWith('.seg'));
        const sizes = segments.map(async name => (await stat(join(volume, name))).blocks * 512);
        return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
      };
      expect(await borealis(['delete', 'orders-dev', '--yes'])).toMatchObject({status: 0});
      const empty = await golden();
      for (let tries = 0; tries < 100 && (await storeOf()) !== empty; tries++) await sleep(100);
      expect(await storeOf()).toBe(empty);
      expect(await json('storage')).toMatchObject({clusters: [], deleted: []});
    });

    test('down stops the service, which ends with 0; then nothing runs', async () => {
      const exited = once(service, 'exit');
      expect(await json('down')).toMatchObject({stopped: true, pid: service.pid});
      expect(await exited).toEqual([0, null]);
      expect((await borealis(['status'])).status).toBe(5);
      expect((await borealis(['list'])).status).toBe(5);
    });

    test('check finds the stopped store sound', async () => {
      const {status, out, err} = await borealis(['check']);
      expect(err).toBe('');
      expect(out).toContain('Nothing is wrong.');
      expect(status).toBe(0);
    });
  });
});
