/**
 * The running service of a data directory, as a command sees it: the RDS API through the AWS SDK,
 * and the JSON pages that RDS has no action for, signed by the SDK's own signer.
 *
 * Every error that leaves here is a BorealisError: kind `closed` when nothing answers, else the
 * kind of the service's fault.
 */
import type {RDS, RDSServiceException} from '@aws-sdk/client-rds';
import {BorealisError, errorMessage, systemErrorCode} from '../base/errors.ts';
import type {
  ClusterReport,
  ClusterReports,
  StorageReport,
  ZoneReport,
} from '../cluster/control-plane.ts';
import type {BegunScrub, ScrubRequest, ScrubStatus} from '../cluster/scrubber.ts';
import type {Quota} from '../cluster/quotas.ts';
import type {Credentials, ServiceFile} from '../cluster/data-directory.ts';
import {
  dataOption,
  metricsTokenFile,
  readCredentials,
  readServiceFile,
  readText,
} from './data-directory.ts';
import {faultKind} from './exit-status.ts';
import {shellQuote} from './format/connection-url.ts';

export type Service = {
  readonly dataDirectory: string;
  readonly record: ServiceFile;
  readonly credentials: Credentials;
  /** Calls an action, e.g. `call(rds => rds.describeDBClusters({}))`. */
  call<T>(action: (rds: RDS) => Promise<T>): Promise<T>;
  reports(options?: {fresh: boolean}): Promise<ClusterReports>;
  /** Throws not-found when there is no cluster of that name. */
  report(identifier: string, options?: {fresh: boolean}): Promise<ClusterReport>;
  storage(options?: {fresh: boolean}): Promise<StorageReport>;
  status(): Promise<Record<string, unknown>>;
  zones(): Promise<ZoneReport>;
  /** Returns once the change has begun. */
  addZone(zone: {letter: string; directory: string}): Promise<ZoneReport>;
  removeZone(zone: {letter: string}): Promise<ZoneReport>;
  /** The page that Prometheus is given. */
  metrics(): Promise<string>;
  /** Begins a scrub, of one cluster or of the whole store, or joins the one that runs. */
  beginScrub(request: ScrubRequest): Promise<BegunScrub>;
  scrub(): Promise<ScrubStatus>;
  stopScrub(id: string): Promise<void>;
  quotas(): Promise<readonly Quota[]>;
  setQuota(name: string, limit: number): Promise<Quota>;
  close(): void;
};

const SCRUB_PATH = '/borealis/v1/scrub';
/** No request of this API takes long: long work goes on after the answer. */
const REQUEST_TIMEOUT_MS = 60_000;

/** Throws kind `closed` when no service runs on the data directory. */
export async function openService(dataDirectory: string): Promise<Service> {
  const record = await readServiceFile(dataDirectory);
  const credentials = await readCredentials(dataDirectory);
  if (record === null || credentials === null) throw notRunning(dataDirectory);
  silenceVersionWarning();
  // Loaded here alone, since it takes a while: help, usage errors and a service that does not run need none of it.
  const {RDS: Client} = await import('@aws-sdk/client-rds');
  const rds = new Client({
    endpoint: record.url,
    region: record.region,
    credentials,
    maxAttempts: 1,
    requestHandler: {requestTimeout: REQUEST_TIMEOUT_MS},
  });
  const call = async <T>(action: (client: RDS) => Promise<T>): Promise<T> => {
    try {
      return await action(rds);
    } catch (error) {
      throw serviceError(error, dataDirectory, record);
    }
  };
  const page: Page = async (
    path: string,
    query: Record<string, string>,
    request: PageRequest = {method: 'GET'},
  ): Promise<unknown> => {
    try {
      return await signedRequest(rds, record, path, query, request);
    } catch (error) {
      throw serviceError(error, dataDirectory, record);
    }
  };
  const reportAt = async (
    path: string,
    fresh: boolean,
  ): Promise<ClusterReports | StorageReport> => {
    const answer = await page(path, fresh ? {fresh: 'true'} : {});
    if (isReport(answer)) return answer;
    throw unexpectedAnswer(record, 'no clusters and store');
  };
  const pages = pagesOf(page, record);
  const reports: Service['reports'] = async options =>
    (await reportAt('/borealis/v1/clusters', options?.fresh === true)) as ClusterReports;
  return {
    dataDirectory,
    record,
    credentials,
    call,
    reports,
    report: async (identifier, options) =>
      findReport((await reports(options)).clusters, identifier),
    storage: async options =>
      (await reportAt('/borealis/v1/storage', options?.fresh === true)) as StorageReport,
    status: async () => {
      const answer = await page('/borealis/v1/status', {});
      return typeof answer === 'object' ? {...answer} : {};
    },
    ...pages,
    metrics: async () => {
      try {
        return await scrape(dataDirectory, record);
      } catch (error) {
        throw serviceError(error, dataDirectory, record);
      }
    },
    close: () => rds.destroy(),
  };
}

type Page = (
  path: string,
  query: Record<string, string>,
  request?: PageRequest,
) => Promise<unknown>;

/** What RDS has no action for, and does not tell of clusters. */
function pagesOf(
  page: Page,
  record: ServiceFile,
): Pick<
  Service,
  'zones' | 'addZone' | 'removeZone' | 'beginScrub' | 'scrub' | 'stopScrub' | 'quotas' | 'setQuota'
> {
  const zonesAt = async (
    query: Record<string, string>,
    request: PageRequest,
  ): Promise<ZoneReport> => {
    const answer = await page('/borealis/v1/zones', query, request);
    if (isZoneReport(answer)) return answer;
    throw unexpectedAnswer(record, 'no zones');
  };
  return {
    zones: () => zonesAt({}, {method: 'GET'}),
    addZone: zone => zonesAt({}, {method: 'POST', body: JSON.stringify(zone)}),
    removeZone: ({letter}) => zonesAt({letter}, {method: 'DELETE'}),
    beginScrub: async ({cluster, bytesPerSecond}) =>
      (await page(
        SCRUB_PATH,
        {
          ...(cluster === null ? {} : {cluster}),
          ...(bytesPerSecond === null ? {} : {rate: String(bytesPerSecond)}),
        },
        {method: 'POST'},
      )) as BegunScrub,
    scrub: async () => (await page(SCRUB_PATH, {})) as ScrubStatus,
    stopScrub: async id => {
      await page(SCRUB_PATH, {id}, {method: 'DELETE'});
    },
    quotas: async () => {
      const answer = await page('/borealis/v1/quotas', {});
      if (isQuotas(answer)) return answer.quotas;
      throw unexpectedAnswer(record, 'no quotas');
    },
    setQuota: async (name, limit) => {
      const answer = await page(
        '/borealis/v1/quotas',
        {name, limit: String(limit)},
        {method: 'POST'},
      );
      if (isQuota(answer)) return answer;
      throw unexpectedAnswer(record, 'no quota');
    },
  };
}

/** Both sides are of one release, so what is inside is as the type says. */
function isReport(answer: unknown): answer is ClusterReports | StorageReport {
  return typeof answer === 'object' && answer !== null && 'clusters' in answer && 'store' in answer;
}

function isZoneReport(answer: unknown): answer is ZoneReport {
  return typeof answer === 'object' && answer !== null && 'zones' in answer && 'change' in answer;
}

function isQuotas(answer: unknown): answer is {quotas: Quota[]} {
  return typeof answer === 'object' && answer !== null && 'quotas' in answer;
}

function isQuota(answer: unknown): answer is Quota {
  return typeof answer === 'object' && answer !== null && 'limit' in answer;
}

export function notRunning(dataDirectory: string, cause?: unknown): BorealisError {
  const option = dataOption(dataDirectory, shellQuote);
  return new BorealisError(
    'closed',
    'service-not-running',
    `No Borealis service runs on data directory ${dataDirectory}; start one with \`borealis up${option}\` and leave it running`,
    cause,
  );
}

/** @throws not-found, with the names that there are. */
export function findReport<T extends {readonly identifier: string}>(
  clusters: readonly T[],
  identifier: string,
): T {
  // As RDS has it, identifiers are stored in lower case and compared without regard to case.
  const found = clusters.find(cluster => cluster.identifier === identifier.toLowerCase());
  if (found !== undefined) return found;
  const names = clusters.map(cluster => cluster.identifier);
  throw new BorealisError(
    'not-found',
    'DBClusterNotFoundFault',
    `There is no cluster ${JSON.stringify(identifier)}; ${
      names.length === 0
        ? 'there are none yet (`borealis create NAME` makes one)'
        : `there are: ${names.join(', ')}`
    }`,
  );
}

type PageRequest = {readonly method: 'GET' | 'POST' | 'DELETE'; readonly body?: string};

async function signedRequest(
  rds: RDS,
  record: ServiceFile,
  path: string,
  query: Record<string, string>,
  {method, body}: PageRequest,
): Promise<unknown> {
  const url = new URL(path, record.url);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const signer = await rds.config.signer();
  const signed = await signer.sign({
    method,
    protocol: url.protocol,
    hostname: url.hostname,
    port: Number(url.port),
    path: url.pathname,
    query,
    headers: {host: url.host},
    ...(body === undefined ? {} : {body}),
  });
  return JSON.parse(
    await get(url, signed.headers, {method, ...(body === undefined ? {} : {body})}),
  );
}

/** As Prometheus does it: with the token of the data directory. */
async function scrape(dataDirectory: string, record: ServiceFile): Promise<string> {
  const token = (await readText(metricsTokenFile(dataDirectory))) ?? '';
  return get(new URL('/metrics', record.url), {authorization: `Bearer ${token.trim()}`});
}

async function get(
  url: URL,
  headers: Record<string, string>,
  request: PageRequest = {method: 'GET'},
): Promise<string> {
  const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  const response = await fetch(url, {...request, headers, signal});
  const text = await response.text();
  if (!response.ok) throw pageError(`${request.method} ${url.pathname}`, response.status, text);
  return text;
}

/** An error page is JSON `{code, message}` or the XML of a fault; take what there is. */
function pageError(request: string, httpStatus: number, text: string): BorealisError {
  const code = /"code"\s*:\s*"([^"]+)"|<Code>([^<]+)<\/Code>/.exec(text);
  const message = /"message"\s*:\s*("(?:[^"\\]|\\.)*")|<Message>([^<]*)<\/Message>/.exec(text);
  const name = code?.[1] ?? code?.[2] ?? 'UnexpectedAnswer';
  const words = message?.[1] === undefined ? message?.[2] : String(JSON.parse(message[1]));
  return new BorealisError(
    faultKind(name, httpStatus),
    name,
    words ?? `${request} was answered with HTTP status ${httpStatus}`,
  );
}

const CREDENTIAL_FAULTS: ReadonlySet<string> = new Set([
  'InvalidClientTokenId',
  'SignatureDoesNotMatch',
  'InvalidAccessKeyId',
  'AuthFailure',
  'InvalidBearerToken',
]);

function serviceError(error: unknown, dataDirectory: string, record: ServiceFile): BorealisError {
  const name = error instanceof Error ? error.name : '';
  const code = error instanceof BorealisError ? error.code : name;
  if (CREDENTIAL_FAULTS.has(code)) {
    return new BorealisError(
      'conflict',
      'service-foreign',
      `The service at ${record.url} does not know the credentials of ${dataDirectory}: another one has taken that port; run \`borealis up${dataOption(dataDirectory, shellQuote)}\``,
      error,
    );
  }
  if (error instanceof BorealisError) return error;
  if (isServiceException(error)) {
    return new BorealisError(
      faultKind(name, error.$metadata.httpStatusCode),
      name,
      error.message,
      error,
    );
  }
  if (name === 'TimeoutError') {
    return new BorealisError(
      'unavailable',
      'service-timeout',
      `The service at ${record.url} did not answer within ${REQUEST_TIMEOUT_MS / 1000} s; see what \`borealis up\` prints`,
      error,
    );
  }
  if (networkErrorCode(error) !== undefined) return notRunning(dataDirectory, error);
  return unexpectedAnswer(record, errorMessage(error), error);
}

/** As the SDK itself tells: what it adds to other errors is `$metadata` alone. */
function isServiceException(error: unknown): error is RDSServiceException {
  return error instanceof Error && '$fault' in error && '$metadata' in error;
}

function unexpectedAnswer(record: ServiceFile, what: string, cause?: unknown): BorealisError {
  return new BorealisError(
    'internal',
    'unexpected-answer',
    `The service at ${record.url} gave an unexpected answer: ${what}`,
    cause,
  );
}

const NETWORK_ERRORS: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'UND_ERR_SOCKET',
]);

function networkErrorCode(error: unknown): string | undefined {
  // fetch() wraps the socket's error in a TypeError.
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const code = systemErrorCode(at);
    if (code !== undefined && NETWORK_ERRORS.has(code)) return code;
  }
  return undefined;
}

/** The SDK would tell every user of Node 20, on every command, what only the developer can change. */
function silenceVersionWarning(): void {
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
}
