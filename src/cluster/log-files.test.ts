/** DescribeDBLogFiles and DownloadDBLogFilePortion, and what else is described of an instance and its engine. */
import {appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {DownloadDBLogFilePortionDetails} from '@aws-sdk/client-rds';
import fc from 'fast-check';
import {afterAll, beforeAll, beforeEach, describe, expect, test} from 'vitest';
import {INSTANCE_CLASSES} from './instance-classes.ts';
import {readLogPortion, parseLogMarker} from './log-files.ts';
import {
  createCluster,
  createWriter,
  faultOf,
  openTestService,
  settle,
  type TestService,
} from './testing/test-service.ts';

const WRITER = {DBInstanceIdentifier: 'orders-writer'} as const;
const LOG = {...WRITER, LogFileName: 'error/engine.log'} as const;
const ARN = 'arn:aws:rds:local-1:123456730000';

let directory: string;
let service: TestService;
let log: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-logs-'));
  service = await openTestService(directory, undefined, '123456730000');
  await createCluster(service, 'orders');
  await createWriter(service, 'orders');
  await settle(service);
  const resourceId = service.catalog.instances.get('orders-writer')?.resourceId ?? '';
  mkdirSync(join(directory, 'instances', resourceId), {recursive: true});
  log = join(directory, 'instances', resourceId, 'engine.log');
});

beforeEach(() => {
  rmSync(`${log}.1`, {force: true});
  writeFileSync(log, 'one\ntwo\nthree\nfour\n');
});

afterAll(async () => {
  await service.close();
  rmSync(directory, {recursive: true});
});

async function download(more: object = {}): Promise<DownloadDBLogFilePortionDetails> {
  return await service.plane.downloadDBLogFilePortion({...LOG, ...more});
}

async function expectFaults(table: readonly [Promise<unknown>, string, string][]): Promise<void> {
  const faults = await Promise.all(table.map(([call]) => faultOf(call)));
  for (const [index, [, code, words]] of table.entries()) {
    const fault = faults[index];
    expect.soft(fault?.code, fault?.message).toBe(code);
    expect.soft(fault?.message).toContain(words);
  }
}

describe('log files', () => {
  test('are listed with size and time, and by name, age and size', async () => {
    writeFileSync(`${log}.1`, 'old\n');
    writeFileSync(join(log, '..', 'replication.pass'), 'a secret');
    const {plane} = service;
    const names = async (more: object): Promise<(string | undefined)[]> => {
      const {DescribeDBLogFiles = []} = await plane.describeDBLogFiles({...WRITER, ...more});
      return DescribeDBLogFiles.map(file => file.LogFileName);
    };
    expect(await names({})).toEqual(['error/engine.log', 'error/engine.log.1']);
    expect(await names({FilenameContains: '.1'})).toEqual(['error/engine.log.1']);
    expect(await names({FileSize: 5})).toEqual(['error/engine.log']);
    expect(await names({FileLastWritten: 2 ** 42})).toEqual([]);
    const {DescribeDBLogFiles} = await plane.describeDBLogFiles(WRITER);
    expect(DescribeDBLogFiles?.[0]).toMatchObject({Size: 19});
    expect(DescribeDBLogFiles?.[0]?.LastWritten).toBeGreaterThan(1_600_000_000_000);
  });

  test('without a marker begin with the last lines', async () => {
    expect(await download()).toMatchObject({
      LogFileData: 'one\ntwo\nthree\nfour\n',
      AdditionalDataPending: false,
    });
    const {LogFileData, Marker} = await download({NumberOfLines: 2});
    expect(LogFileData).toBe('three\nfour\n');
    appendFileSync(log, 'five\n');
    expect(await download({Marker})).toMatchObject({LogFileData: 'five\n'});
  });

  test('with marker 0 begin with the first, and go on until nothing is pending', async () => {
    const first = await download({Marker: '0', NumberOfLines: 3});
    expect(first).toMatchObject({LogFileData: 'one\ntwo\nthree\n', AdditionalDataPending: true});
    const second = await download({Marker: first.Marker, NumberOfLines: 3});
    expect(second).toMatchObject({LogFileData: 'four\n', AdditionalDataPending: false});
    const third = await download({Marker: second.Marker});
    expect(third).toMatchObject({LogFileData: '', AdditionalDataPending: false});
  });

  test('that were moved away are followed by the start of the new one', async () => {
    const {Marker} = await download();
    renameSync(log, `${log}.1`);
    writeFileSync(log, 'fresh\n');
    expect(await download({Marker})).toMatchObject({LogFileData: 'fresh\n'});
  });

  test('have nothing that XML cannot carry', async () => {
    writeFileSync(log, Buffer.from('a\u0000b\u001bc\td\xff\ufffe\n', 'latin1'));
    const {LogFileData = ''} = await download();
    expect(LogFileData).toBe('a\ufffdb\ufffdc\td\ufffd\ufffd\n');
  });

  test('in portions are the whole file, whatever the size of lines and portions', async () => {
    const line = fc.oneof(
      fc.constant(''),
      fc.string({maxLength: 40}).map(text => text.replaceAll(/\s|[^ -~]/g, 'x')),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, {maxLength: 60}),
        fc.boolean(),
        fc.integer({min: 1, max: 20}),
        async (lines, isEnded, count) => {
          const text = lines.join('\n') + (isEnded ? '\n' : '');
          writeFileSync(log, text);
          let shown = '';
          let place = parseLogMarker('0');
          for (let portions = 0; place !== null; portions++) {
            expect(portions).toBeLessThanOrEqual(lines.length + 1);
            const portion = await readLogPortion(join(log, '..'), 'error/engine.log', place, count);
            shown += portion?.text ?? '';
            place = portion?.isMorePending === true ? parseLogMarker(portion.marker) : null;
          }
          expect(shown).toBe(text);
          const last = await readLogPortion(join(log, '..'), 'error/engine.log', 'end', count);
          const whole = text.split(/(?<=\n)/).slice(-count);
          expect(last?.text).toBe(text === '' ? '' : whole.join(''));
        },
      ),
      {numRuns: 60},
    );
  });

  test('of more than a megabyte come in portions of whole lines', async () => {
    const text = `${'x'.repeat(999)}\n`.repeat(2_000);
    writeFileSync(log, text);
    let shown = '';
    let Marker: string | undefined = '0';
    for (let pending = true; pending;) {
      const portion: DownloadDBLogFilePortionDetails = await download({Marker});
      expect(portion.LogFileData?.endsWith('\n')).toBe(true);
      expect(portion.LogFileData?.length).toBeLessThanOrEqual(1024 * 1024);
      shown += portion.LogFileData ?? '';
      ({Marker} = portion);
      pending = portion.AdditionalDataPending === true;
    }
    expect(shown === text).toBe(true);
  });

  test('that are not there, and calls that make no sense, are refused', async () => {
    const {plane} = service;
    const name = (LogFileName: string | undefined): Promise<unknown> => download({LogFileName});
    await expectFaults([
      [plane.describeDBLogFiles({DBInstanceIdentifier: 'x'}), 'DBInstanceNotFoundFault', 'x'],
      [download({DBInstanceIdentifier: 'x'}), 'DBInstanceNotFoundFault', 'x'],
      [plane.describeDBLogFiles({DBInstanceIdentifier: undefined}), 'MissingParameter', 'DBInst'],
      [name(undefined), 'MissingParameter', 'LogFileName'],
      [name('error/engine.log.1'), 'DBLogFileNotFoundFault', 'engine.log.1'],
      [name('error/replication.pass'), 'DBLogFileNotFoundFault', 'replication.pass'],
      [name('error/../../../catalog.mdb'), 'DBLogFileNotFoundFault', 'catalog'],
      [download({Marker: 'x'}), 'InvalidParameterValue', 'Marker'],
      [download({Marker: '-1'}), 'InvalidParameterValue', 'Marker'],
      [download({NumberOfLines: 0}), 'InvalidParameterValue', 'NumberOfLines'],
      [download({NumberOfLines: 10_001}), 'InvalidParameterValue', '10000'],
    ]);
  });
});

describe('orderable options', () => {
  const Engine = 'aurora-postgresql';

  test('are the classes that have memory of their own, in every zone', async () => {
    const shown: (string | undefined)[] = [];
    let Marker: string | undefined;
    do {
      const answer = await service.plane.describeOrderableDBInstanceOptions({
        Engine,
        MaxRecords: 20,
        Marker,
      });
      shown.push(...(answer.OrderableDBInstanceOptions ?? []).map(each => each.DBInstanceClass));
      ({Marker} = answer);
    } while (Marker !== undefined);
    expect(shown).toEqual(INSTANCE_CLASSES);
  });

  test('are chosen by version, class, licence and zone group', async () => {
    const count = async (more: object): Promise<number | undefined> => {
      const answer = await service.plane.describeOrderableDBInstanceOptions({Engine, ...more});
      return answer.OrderableDBInstanceOptions?.length;
    };
    const one = {DBInstanceClass: 'db.r6g.large'};
    expect(await count(one)).toBe(1);
    expect(await count({...one, EngineVersion: '18.4'})).toBe(1);
    expect(await count({...one, EngineVersion: '9.6'})).toBe(0);
    expect(await count({...one, LicenseModel: 'postgresql-license', Vpc: true})).toBe(1);
    expect(await count({...one, LicenseModel: 'bring-your-own-license'})).toBe(0);
    expect(await count({...one, AvailabilityZoneGroup: 'local-1'})).toBe(1);
    expect(await count({...one, Vpc: false})).toBe(0);
    // Terraform asks for so many; in RDS this action alone allows it.
    expect(await count({...one, MaxRecords: 1000})).toBe(1);
    await expectFaults([
      [
        service.plane.describeOrderableDBInstanceOptions({Engine: 'oracle-ee'}),
        'InvalidParameterValue',
        'oracle-ee',
      ],
      [
        service.plane.describeOrderableDBInstanceOptions({Engine: undefined}),
        'MissingParameter',
        'Engine',
      ],
    ]);
  });
});

test('there is no maintenance, no other region and no global database, and what is named must be there', async () => {
  const {plane} = service;
  const ResourceIdentifier = `${ARN}:cluster:orders`;
  expect(await plane.describePendingMaintenanceActions({ResourceIdentifier})).toMatchObject({
    PendingMaintenanceActions: [],
  });
  expect(await plane.describeSourceRegions({RegionName: 'local-1'})).toMatchObject({
    SourceRegions: [],
  });
  const ofCluster = {Filters: [{Name: 'db-cluster-id', Values: [ResourceIdentifier]}]};
  expect(await plane.describeGlobalClusters(ofCluster)).toMatchObject({GlobalClusters: []});
  await expectFaults([
    [
      plane.describePendingMaintenanceActions({ResourceIdentifier: `${ARN}:db:nobody`}),
      'ResourceNotFoundFault',
      'nobody',
    ],
    [
      plane.describePendingMaintenanceActions({ResourceIdentifier: 'orders'}),
      'InvalidParameterValue',
      'ARN',
    ],
    [plane.describeSourceRegions({RegionName: 'mars-1'}), 'InvalidParameterValue', 'mars-1'],
    [
      plane.describeGlobalClusters({GlobalClusterIdentifier: 'world'}),
      'GlobalClusterNotFoundFault',
      'world',
    ],
  ]);
});
