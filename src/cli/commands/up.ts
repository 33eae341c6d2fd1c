import {Option, type Command} from 'commander';
import {BorealisError} from '../../base/errors.ts';
import {findEngines} from '../../cluster/find-engines.ts';
import {borealisCommand, contextOf, type CommonOptions} from '../command.ts';
import {parseZoneOption, type ZoneOption} from '../../cluster/zone-list.ts';
import {dataOption} from '../data-directory.ts';
import {shellQuote} from '../format/connection-url.ts';
import {renderFields} from '../format/table.ts';
import {PGLITE_LIMITS} from '../machine.ts';
import {parsePort} from '../operations.ts';
import {LOG_FORMATS, LOG_LEVELS, openServiceLog, type LogOptions} from '../service-log.ts';
import {colorsOf} from '../terminal.ts';

/**
 * Always the same, so that scripts and profiles may name it. Below the ports that Linux and macOS
 * give to outgoing connections, and the default of no database or development server we know of.
 */
const DEFAULT_PORT = '4780';

/** A week. */
const DEFAULT_SCRUB_HOURS = '168';
const HOUR_MS = 3_600_000;

type Options = CommonOptions &
  LogOptions & {
    readonly port: string;
    readonly region: string;
    readonly engineRuntime: 'native' | 'pglite' | 'auto';
    readonly postgresBin?: string;
    readonly zone: readonly ZoneOption[];
    readonly scrubEvery: string;
    readonly discardUnknown?: true;
  };

export function upCommand(): Command {
  return borealisCommand({
    name: 'up',
    summary: 'Start the service and stay in the foreground',
    description:
      'Starts the service on loopback with all clusters of the data directory, and stays until Ctrl-C, SIGTERM or `borealis down`. Its log goes to stderr; --log-level info has a line for each request.',
    examples: [
      ['borealis up', 'data in ~/.borealis, endpoint http://127.0.0.1:4780'],
      ['borealis up --data ./data --port 0', 'another directory, any free port'],
      ['borealis up --postgres-bin /usr/lib/postgresql/15/bin', 'on an installed PostgreSQL'],
      ['borealis up --zone a=/d1 --zone b=/d2 --zone c=/d3', 'three copies, two must acknowledge'],
      ['borealis up --engine-runtime pglite', 'on PostgreSQL in WebAssembly'],
      ['borealis up --log-format json --log-level info', 'for a collector of logs'],
    ],
  })
    .option('--port <port>', 'of the API; 0 takes any free one', DEFAULT_PORT)
    .option('--region <region>', 'that the service answers as', 'us-east-1')
    .addOption(
      new Option('--engine-runtime <runtime>', 'how engines run; auto falls back to pglite')
        .choices(['native', 'pglite', 'auto'])
        .default('auto'),
    )
    .option(
      '--zone <letter=dir>',
      'an Availability Zone of the store, a to f; once for each (default: one)',
      (text: string, zones: readonly ZoneOption[]) => [...zones, parseZoneOption(text)],
      [],
    )
    .option(
      '--scrub-every <hours>',
      'verify and repair the whole store so often, slowly; off: only on request',
      DEFAULT_SCRUB_HOURS,
    )
    .option(
      '--discard-unknown',
      'delete volumes that the catalog does not know, after it was lost or restored from a backup',
    )
    .option('--postgres-bin <dir>', 'directory with postgres and initdb (default: from npm)')
    .addOption(
      new Option('--log-format <format>', 'of the log on stderr; json: nothing but JSON lines')
        .choices(LOG_FORMATS)
        .default('auto'),
    )
    .addOption(
      new Option('--log-level <level>', 'the least that is logged')
        .choices(LOG_LEVELS)
        .env('BOREALIS_LOG_LEVEL')
        .default('warn'),
    )
    .action(up);
}

async function up(options: Options): Promise<void> {
  const {terminal, dataDirectory} = contextOf(options);
  const port = parsePort(options.port, '--port', 0);
  const scrubEveryMs = parseScrubEvery(options.scrubEvery);
  const logger = await openServiceLog(options);
  const isQuiet = options.logFormat === 'json';
  const step = <T>(name: string, work: () => Promise<T>): Promise<T> =>
    isQuiet ? work() : terminal.step(name, work);
  const stopping = stopRequest();
  const service = await step('start the service', async () => {
    // Loaded here alone, since it takes a while and no other command needs it.
    const {startService} = await import('../../server.ts');
    return startService({
      dataDirectory,
      port,
      region: options.region,
      engineRuntime: options.engineRuntime,
      postgresBin: options.postgresBin ?? null,
      zones: options.zone,
      logger,
      scrubEveryMs,
      discardUnknown: options.discardUnknown === true,
    });
  });
  try {
    const {url, region, engine} = service;
    const pglite = engine.includes('PGlite') ? await describePglite(options) : null;
    const announcement = {url, region, pid: process.pid, dataDirectory, engine, pglite};
    terminal.result(announcement, () => renderUp(announcement));
    await stopping;
  } finally {
    await step('stop', () => service.close());
    logger.info('the service has stopped');
  }
}

/** `24` → a day; `off` → null */
export function parseScrubEvery(text: string): number | null {
  if (text === 'off') return null;
  const hours = /^\d{1,5}(\.\d{1,5})?$/.test(text) ? Number(text) : 0;
  if (hours > 0) return hours * HOUR_MS;
  throw new BorealisError(
    'invalid',
    'InvalidParameterValue',
    `--scrub-every ${JSON.stringify(text)} is neither a number of hours above 0 nor off`,
  );
}

export type PgliteRemarks = {readonly limits: string; readonly fallbackReason: string | null};

type Announcement = {
  readonly url: string;
  readonly region: string;
  readonly dataDirectory: string;
  readonly engine: string;
  /** What to know of PGlite where it answers; else null. */
  readonly pglite: PgliteRemarks | null;
};

/** PGlite is said aloud, and why when nobody asked for it. */
async function describePglite(options: Options): Promise<PgliteRemarks> {
  if (options.engineRuntime !== 'auto') return {limits: PGLITE_LIMITS, fallbackReason: null};
  const {fallbackReason} = await findEngines('auto', options.postgresBin ?? null);
  return {limits: PGLITE_LIMITS, fallbackReason};
}

function renderUp({url, region, dataDirectory, engine, pglite}: Announcement): string {
  const colors = colorsOf(process.stdout);
  const data = dataOption(dataDirectory, shellQuote);
  const fields = renderFields(
    [
      ['endpoint', colors.bold(url)],
      ['region', region],
      ['engine', engine],
      ['data', dataDirectory],
    ],
    colors,
  );
  const reason = pglite?.fallbackReason ?? null;
  const notes = [
    ...(reason === null ? [] : [`PGlite answers, since native engines cannot run here: ${reason}`]),
    ...(pglite === null ? [] : [pglite.limits]),
  ];
  return `${fields}${notes.map(note => `${colors.yellow(note)}\n`).join('')}
In another shell:
  borealis create orders${data}
  borealis clone orders orders-dev${data}

AWS CLI, SDKs, boto3, Terraform: take the exports, then call as ever
  eval "$(borealis env${data})"
  aws rds describe-db-clusters                     # AWS CLI 1.29 or 2.13, and newer
  aws rds describe-db-clusters --endpoint-url ${url}

Ctrl-C stops it; the clusters stay.
`;
}

/** Resolves on Ctrl-C, SIGTERM or SIGHUP, and when a program that started us over IPC is gone. */
function stopRequest(): Promise<void> {
  return new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => resolve());
    }
    process.once('disconnect', () => resolve());
    // Listening must not keep us alive once all else has ended.
    process.channel?.unref();
  });
}
