/**
 * What is served at which path, once a request has been read and its signature verified.
 */
import {withDeadline, type Clock} from '../base/clock.ts';
import {BorealisError} from '../base/errors.ts';
import type {ControlPlane} from '../cluster/control-plane.ts';
import type {Monitor} from '../cluster/metrics/measurements.ts';
import {splitTarget} from './canonical-request.ts';
import type {Fault} from './faults.ts';
import {PAGE_TYPE, type MetricsPage} from './metrics/page.ts';
import {encodeError} from './protocol/encode.ts';
import {readQueryCall, runQueryCall} from './query-endpoint.ts';
import type {SignedRequest} from './signature.ts';

/** How an error is told. */
type ErrorType = 'text/xml' | 'application/json';
export type Answer = {
  readonly status: number;
  readonly type: ErrorType | typeof PAGE_TYPE;
  readonly body: string;
};
/** What the log line of a request tells, filled in as it becomes known. */
export type RequestLog = {action: string; requestId: string};
/** `token`: the scrape token, or a signature. */
type Access = 'anyone' | 'signed' | 'token';
type Handler = (request: SignedRequest, log: RequestLog) => Promise<Answer>;
export type Route = {
  readonly methods: readonly string[];
  readonly type: ErrorType;
  readonly access: Access;
  readonly handle: Handler;
};

export type RouteOptions = {
  readonly controlPlane: ControlPlane;
  readonly monitor: Monitor;
  readonly clock: Clock;
  readonly region: string;
  readonly about?: Readonly<Record<string, string | number | boolean>>;
};

/** Longer than any step that a call waits for; what it began goes on by itself. */
export const CALL_DURATION_MAX_MS = 120_000;

export function createRoutes({
  controlPlane,
  monitor,
  metrics,
  clock,
  region,
  about,
}: RouteOptions & {readonly metrics: MetricsPage}): ReadonlyMap<string, Route> {
  const startedAtMs = clock.nowMs();
  return new Map<string, Route>([
    [
      '/',
      {
        methods: ['POST', 'GET'],
        type: 'text/xml',
        access: 'signed',
        handle: async (request, log) => {
          const call = readQueryCall(request);
          log.action = call.action.name;
          const body = await withinCallDuration(runQueryCall(call, controlPlane, log.requestId));
          return {status: 200, type: 'text/xml', body};
        },
      },
    ],
    ['/health', jsonRoute('anyone', async () => ({status: 'ok'}))],
    [
      '/health/ready',
      {
        ...{methods: ['GET'], type: 'application/json', access: 'anyone'},
        handle: async () => {
          const {isReady, reason} = await monitor.readiness();
          return isReady
            ? jsonAnswer(200, {status: 'ready'})
            : jsonAnswer(503, {status: 'not-ready', reason});
        },
      },
    ],
    [
      '/metrics',
      {
        ...{methods: ['GET'], type: 'application/json', access: 'token'},
        handle: async () => ({status: 200, type: PAGE_TYPE, body: await metrics.render()}),
      },
    ],
    [
      '/borealis/v1/clusters',
      jsonRoute('signed', ({target}) =>
        withinCallDuration(controlPlane.clusterReports({fresh: readFresh(target)})),
      ),
    ],
    [
      '/borealis/v1/storage',
      jsonRoute('signed', ({target}) =>
        withinCallDuration(controlPlane.storageReport({fresh: readFresh(target)})),
      ),
    ],
    ['/borealis/v1/zones', zonesRoute(controlPlane)],
    ['/borealis/v1/scrub', scrubRoute(controlPlane)],
    [
      '/borealis/v1/quotas',
      {
        methods: ['GET', 'POST'],
        type: 'application/json',
        access: 'signed',
        handle: async ({method, target}) => {
          const call =
            method === 'POST' ? controlPlane.setQuota(readQuota(target)) : controlPlane.quotas({});
          return jsonAnswer(200, await withinCallDuration<object>(call));
        },
      },
    ],
    [
      '/borealis/v1/status',
      jsonRoute('signed', async () => ({
        ...about,
        status: 'ok',
        region,
        startedAt: new Date(startedAtMs).toISOString(),
        uptimeMs: clock.nowMs() - startedAtMs,
      })),
    ],
  ]);
}

/** GET lists the zones, POST adds one, DELETE removes one. */
function zonesRoute(controlPlane: ControlPlane): Route {
  return {
    methods: ['GET', 'POST', 'DELETE'],
    type: 'application/json',
    access: 'signed',
    handle: async ({method, target, body}) => {
      const answer =
        method === 'POST'
          ? controlPlane.addZone(readZone(body))
          : method === 'DELETE'
            ? controlPlane.removeZone({letter: readLetter(target)})
            : controlPlane.zoneReport({});
      return jsonAnswer(200, await withinCallDuration(answer));
    },
  };
}

function readZone(body: Buffer): {letter: string; directory: string} {
  let value: unknown = null;
  try {
    value = JSON.parse(body.toString());
  } catch {
    // Refused below, with what is allowed.
  }
  const {letter, directory} = (value ?? {}) as {letter?: unknown; directory?: unknown};
  if (typeof letter === 'string' && typeof directory === 'string') return {letter, directory};
  throw new BorealisError(
    'invalid',
    'ValidationError',
    'The body must be JSON with the members letter and directory, both strings.',
  );
}

function readLetter(target: string): string {
  const letter = new URLSearchParams(splitTarget(target).query).get('letter');
  if (letter !== null) return letter;
  throw new BorealisError('invalid', 'ValidationError', 'The query string must be letter=LETTER.');
}

function jsonRoute(access: Access, read: (request: SignedRequest) => Promise<object>): Route {
  return {
    methods: ['GET'],
    type: 'application/json',
    access,
    handle: async request => jsonAnswer(200, await read(request)),
  };
}

/** POST `?cluster=NAME&rate=BYTES_PER_SECOND` begins or joins a scrub, GET tells of it, DELETE `?id=ID` stops it. */
function scrubRoute(controlPlane: ControlPlane): Route {
  const answer = async ({method, target}: SignedRequest): Promise<object> => {
    const query = new URLSearchParams(splitTarget(target).query);
    if (method === 'GET') return await controlPlane.scrubStatus({});
    if (method === 'DELETE') return await controlPlane.stopScrub({id: query.get('id') ?? ''});
    return await controlPlane.beginScrub({
      cluster: query.get('cluster'),
      bytesPerSecond: readRate(query.get('rate')),
    });
  };
  return {
    methods: ['GET', 'POST', 'DELETE'],
    type: 'application/json',
    access: 'signed',
    handle: async request => jsonAnswer(200, await withinCallDuration(answer(request))),
  };
}

function readRate(text: string | null): number | null {
  if (text === null) return null;
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new BorealisError(
    'invalid',
    'ValidationError',
    `The rate ${JSON.stringify(text)} is not a whole number of bytes a second from 1.`,
  );
}

function withinCallDuration<T>(call: Promise<T>): Promise<T> {
  return withDeadline(
    call,
    CALL_DURATION_MAX_MS,
    () =>
      new BorealisError(
        'unavailable',
        'ServiceUnavailable',
        `The call did not end within ${CALL_DURATION_MAX_MS / 1000} seconds. What it began goes on; describe the resource to see its state.`,
      ),
  );
}

function readQuota(target: string): {name: string; limit: number} {
  const query = new URLSearchParams(splitTarget(target).query);
  const [name, limit] = [query.get('name'), query.get('limit')];
  if (name !== null && limit !== null && /^\d{1,9}$/.test(limit)) {
    return {name, limit: Number(limit)};
  }
  throw new BorealisError(
    'invalid',
    'ValidationError',
    'The query string must be name=…&limit=…, with a whole number, or 0 for no limit.',
  );
}

function readFresh(target: string): boolean {
  const query = splitTarget(target).query;
  if (query === '' || query === 'fresh=false') return false;
  if (query === 'fresh=true') return true;
  throw new BorealisError(
    'invalid',
    'ValidationError',
    'The query string must be fresh=true, fresh=false or empty.',
  );
}

export function errorAnswer(fault: Fault, type: ErrorType, id: string): Answer {
  const {code, status, message} = fault;
  if (type === 'text/xml') return {status, type, body: encodeError({...fault, requestId: id})};
  return jsonAnswer(status, {error: {code, message}, requestId: id});
}

function jsonAnswer(status: number, value: object): Answer {
  return {status, type: 'application/json', body: `${JSON.stringify(value)}\n`};
}
