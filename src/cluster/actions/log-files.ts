/** DescribeDBLogFiles and DownloadDBLogFilePortion: the real logs of an instance's engine. */
import {join} from 'node:path';
import type {
  DescribeDBLogFilesMessage,
  DescribeDBLogFilesResponse,
  DownloadDBLogFilePortionDetails,
  DownloadDBLogFilePortionMessage,
} from '@aws-sdk/client-rds';
import {BorealisError} from '../../base/errors.ts';
import {instanceNotFound, invalidValue, missingParameter} from '../faults.ts';
import {parseReference, quoted} from '../identifiers.ts';
import {applyFilters, page} from '../listing.ts';
import {
  logFiles,
  parseLogMarker,
  readLogPortion,
  type LogFile,
  type LogPlace,
} from '../log-files.ts';
import {parseInteger} from '../members.ts';
import type {World} from '../world.ts';

/** As in RDS. */
const LINES_MAX = 10_000;

export async function describeDBLogFiles(
  world: World,
  input: DescribeDBLogFilesMessage,
): Promise<DescribeDBLogFilesResponse> {
  const {FilenameContains: part = '', FileLastWritten: sinceMs = 0, FileSize: size = 0} = input;
  const all = await logFiles(runDirectory(world, input.DBInstanceIdentifier));
  const wanted = all.filter(
    ({name, lastWrittenMs, sizeBytes}) =>
      name.includes(part) && lastWrittenMs >= sinceMs && sizeBytes >= size,
  );
  const fitting = applyFilters<LogFile>(wanted, input.Filters, {});
  const {records, Marker} = page(fitting, file => file.name, input);
  return {
    DescribeDBLogFiles: records.map(({name, lastWrittenMs, sizeBytes}) => ({
      LogFileName: name,
      LastWritten: lastWrittenMs,
      Size: sizeBytes,
    })),
    Marker,
  };
}

export async function downloadDBLogFilePortion(
  world: World,
  input: DownloadDBLogFilePortionMessage,
): Promise<DownloadDBLogFilePortionDetails> {
  const directory = runDirectory(world, input.DBInstanceIdentifier);
  const {LogFileName: name} = input;
  if (name === undefined || name === '') throw missingParameter('LogFileName');
  const linesMax = parseInteger('NumberOfLines', input.NumberOfLines, {
    min: 1,
    max: LINES_MAX,
    absent: LINES_MAX,
  });
  const portion = await readLogPortion(directory, name, parsePlace(input.Marker), linesMax);
  if (portion === null) {
    throw new BorealisError(
      'not-found',
      'DBLogFileNotFoundFault',
      `DBLog File: ${quoted(name)}, is not found on the DB instance`,
    );
  }
  return {
    LogFileData: portion.text,
    Marker: portion.marker,
    AdditionalDataPending: portion.isMorePending,
  };
}

/** Where the instance's processes write; see instance-config.ts. */
function runDirectory({catalog, instancesDirectory}: World, name: string | undefined): string {
  const identifier = parseReference('DBInstanceIdentifier', name, 'db', catalog.identity);
  const instance = catalog.instances.get(identifier);
  if (instance === undefined) throw instanceNotFound(identifier);
  return join(instancesDirectory, instance.resourceId);
}

function parsePlace(marker: string | undefined): LogPlace {
  if (marker === undefined || marker === '') return 'end';
  const place = parseLogMarker(marker);
  if (place !== null) return place;
  throw invalidValue(
    `The parameter Marker must be 0, or what an earlier portion of the log returned. Given: ${quoted(marker)}`,
  );
}
