/** Notes of passwords that tell nothing true any more, and engines that hang at start. */
import {existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {ask} from './testing/line-client.ts';
import {
  createCluster,
  createWriter,
  faultOf,
  openTestService,
  settle,
  until,
  type TestService,
} from './testing/test-service.ts';

const ACCOUNT = '123456750000';
let directory: string;
let passwords: string;
let service: TestService;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-notes-'));
  passwords = join(directory, 'passwords');
  service = await openTestService(directory, undefined, ACCOUNT);
});

afterEach(async () => {
  await service.close();
  rmSync(directory, {recursive: true});
});

/** As the CLI writes it. Returns its path. */
function note(cluster: string): string {
  mkdirSync(passwords, {recursive: true});
  const {resourceId = ''} = service.catalog.clusters.get(cluster) ?? {};
  const path = join(passwords, `${resourceId}.json`);
  writeFileSync(path, '{"password":"a-secret"}\n', {mode: 0o600});
  return path;
}

test('the note of a cluster goes with it, whoever deletes it', async () => {
  await createCluster(service, 'orders');
  await createCluster(service, 'other');
  await settle(service);
  const [gone, kept] = [note('orders'), note('other')];
  await service.plane.deleteDBCluster({DBClusterIdentifier: 'orders', SkipFinalSnapshot: true});
  await until(() => service.catalog.clusters.get('orders') === undefined);
  expect(existsSync(gone)).toBe(false);
  expect(existsSync(kept)).toBe(true);
});

test('notes that an earlier service left behind go at its start, and nothing else does', async () => {
  await createCluster(service, 'orders');
  await settle(service);
  note('orders');
  writeFileSync(join(passwords, 'cluster-GONE.json'), '{}');
  writeFileSync(join(passwords, 'mine.txt'), 'not a note');
  await service.close();
  service = await openTestService(directory, undefined, ACCOUNT);
  const {resourceId} = service.catalog.clusters.get('orders') ?? {};
  expect(readdirSync(passwords).sort()).toEqual([`${resourceId}.json`, 'mine.txt']);
});

test('another password makes the note go; a change that is refused, or of something else, does not', async () => {
  await createCluster(service, 'orders');
  await settle(service);
  const path = note('orders');
  const modify = (more: object): Promise<unknown> =>
    service.plane.modifyDBCluster({DBClusterIdentifier: 'orders', ...more});
  await modify({CopyTagsToSnapshot: true});
  expect((await faultOf(modify({MasterUserPassword: 'short'}))).code).toBe('InvalidParameterValue');
  expect(existsSync(path)).toBe(true);
  await modify({MasterUserPassword: 'another-password'});
  expect(existsSync(path)).toBe(false);
});

test('an engine that hangs at start is ended and tried again, and its status says so', async () => {
  await service.close();
  service = await openTestService(directory, undefined, ACCOUNT, {startMsMax: 200});
  const port = await createCluster(service, 'orders');
  await settle(service);
  service.instances.hang = true;
  await createWriter(service, 'orders');
  await until(() => service.catalog.instances.get('orders-writer')?.status === 'failed');
  expect(service.catalog.instances.get('orders-writer')?.statusReason).toContain(
    'not ready within',
  );
  service.instances.hang = false;
  await until(() => service.catalog.instances.get('orders-writer')?.status === 'available');
  expect(await ask(port, 'get')).toBe('golden');
});
