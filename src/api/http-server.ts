/**
 * The service's HTTP face, on loopback unless asked otherwise.
 *
 *     POST, GET  /                        RDS Query protocol, signed          XML
 *     GET        /borealis/v1/clusters    what RDS has no action for, signed  JSON  (?fresh=true)
 *     GET, POST, DELETE  /borealis/v1/zones  signed                           JSON
 *     GET, POST, DELETE  /borealis/v1/scrub   what runs, to begin and to stop one, signed  JSON
 *     GET, POST  /borealis/v1/quotas      signed; POST ?name=…&limit=…        JSON
 *     GET        /borealis/v1/status      signed                              JSON
 *     GET        /metrics                 for Prometheus, by token or signed  text
 *     GET        /health, /health/ready   for supervisors, unsigned           JSON
 *
 * Order:  body, then route, then signature, then parameters, then the control plane. Nothing but
 *         health is reachable without a valid signature, or for metrics the scrape token.
 * Limits: bytes of a body, connections, requests at a time, and the time of every step are bounded.
 * Log:    one line a request with action, status, milliseconds and request id; never a body, a query
 *         string or a header, for they hold passwords and signatures.
 */
import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http';
import {AssertionError} from '../base/assert.ts';
import {withDeadline, type Clock} from '../base/clock.ts';
import {BorealisError, errorChain} from '../base/errors.ts';
import type {Logger} from '../base/log.ts';
import {randomHex} from '../base/random.ts';
import type {ControlPlane} from '../cluster/control-plane.ts';
import type {Monitor} from '../cluster/metrics/measurements.ts';
import {splitTarget} from './canonical-request.ts';
import {faultOf, type Fault} from './faults.ts';
import {MetricsPage} from './metrics/page.ts';
import {readBody} from './request-body.ts';
import {
  CALL_DURATION_MAX_MS,
  createRoutes,
  errorAnswer,
  type Answer,
  type RequestLog,
  type Route,
} from './routes.ts';
import {verifyScraper} from './scrape-token.ts';
import {verifySignature, type ApiCredentials, type SignedRequest} from './signature.ts';

/** A busy CI run has a hundred calls in flight; each holds at most a body of 1 MiB. */
export const REQUESTS_ACTIVE_MAX = 256;
const CONNECTIONS_MAX = 1024;
const HEADERS_DURATION_MAX_MS = 10_000;
const REQUEST_DURATION_MAX_MS = 30_000;
/** A connection on which nothing moves, neither request nor answer. */
const CONNECTION_IDLE_MAX_MS: number = CALL_DURATION_MAX_MS + REQUEST_DURATION_MAX_MS;
/** Longer than clients keep idle connections, so that they, not we, close them. */
const KEEP_ALIVE_MS = 75_000;
const SERVICE = 'rds';

export type ApiServerOptions = {
  readonly controlPlane: ControlPlane;
  readonly credentials: ApiCredentials;
  readonly region: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly monitor: Monitor;
  /** What a scraper proves itself by. */
  readonly scrapeToken: string;
  /** Facts for `GET /borealis/v1/status`, such as version and data directory; nothing secret. */
  readonly about?: Readonly<Record<string, string | number | boolean>>;
};

export function createApiServer(options: ApiServerOptions): Server {
  const metrics = new MetricsPage(options.monitor);
  const routes = createRoutes({...options, metrics});
  let active = 0;
  const server = createServer(
    {
      headersTimeout: HEADERS_DURATION_MAX_MS,
      requestTimeout: REQUEST_DURATION_MAX_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    (request, response) => {
      active++;
      response.once('close', () => active--);
      const overloaded = active > REQUESTS_ACTIVE_MAX;
      void serve({request, response, server, options, routes, metrics, overloaded});
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  server.timeout = CONNECTION_IDLE_MAX_MS;
  return server;
}

/** Takes no more connections, lets requests in flight finish for `graceMs`, then cuts what is left. */
export async function closeApiServer(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>(resolve => server.close(() => resolve()));
  server.closeIdleConnections();
  try {
    await withDeadline(
      closed,
      graceMs,
      () => new BorealisError('closed', 'grace-over', 'grace is over'),
    );
  } catch (error) {
    if (!(error instanceof BorealisError)) throw error;
    server.closeAllConnections();
    await closed;
  }
}

type Exchange = {
  request: IncomingMessage;
  response: ServerResponse;
  server: Server;
  options: ApiServerOptions;
  routes: ReadonlyMap<string, Route>;
  metrics: MetricsPage;
  overloaded: boolean;
};

type Failure = {readonly error: unknown; readonly fault: Fault};

/** Whatever happens ends in an answer and a log line; rejects for a failed assertion only. */
async function serve(exchange: Exchange): Promise<void> {
  const {request, response, server, options, routes, metrics} = exchange;
  const {clock, logger} = options;
  const startedMs = clock.monotonicMs();
  const path = splitTarget(request.url ?? '/').path;
  const route = routes.get(path);
  const log: RequestLog = {action: route === undefined ? 'unknown' : path, requestId: requestId()};
  let answer: Answer;
  let failure: Failure | undefined;
  try {
    answer = await respond(exchange, route, log);
  } catch (error) {
    const fault = faultOf(error, log.requestId);
    failure = {error, fault};
    answer = errorAnswer(fault, route?.type ?? 'application/json', log.requestId);
  }
  response.statusCode = answer.status;
  response.setHeader('content-type', answer.type);
  response.setHeader('content-length', Buffer.byteLength(answer.body));
  response.setHeader('x-amzn-requestid', log.requestId);
  // Clients whose clock is off set it by this header.
  response.setHeader('date', new Date(clock.nowMs()).toUTCString());
  if (answer.status === 401) response.setHeader('www-authenticate', 'Bearer realm="metrics"');
  if (answer.status === 405) response.setHeader('allow', route?.methods.join(', ') ?? '');
  // With part of the request unread, or the server closing, the connection cannot be used again.
  if (!request.complete || !server.listening) response.setHeader('connection', 'close');
  response.end(answer.body);
  const {action} = log;
  const {status} = answer;
  const durationMs = clock.monotonicMs() - startedMs;
  metrics.requests.note({action, status, durationMs});
  logRequest(logger, failure, {
    action,
    status,
    ms: Math.round(durationMs),
    requestId: log.requestId,
  });
  // A bug is not served on: nobody catches this, so the process ends, as an assertion demands.
  if (failure?.error instanceof AssertionError) throw failure.error;
}

function logRequest(logger: Logger, failure: Failure | undefined, line: object): void {
  if (failure === undefined) {
    logger.info(line, 'request');
  } else if (failure.fault.status < 500) {
    logger.info({...line, code: failure.fault.code}, 'request refused');
  } else {
    const detail = {code: failure.fault.code, error: errorChain(failure.error)};
    logger.error({...line, ...detail}, 'request failed');
  }
}

async function respond(
  {request, options, overloaded}: Exchange,
  route: Route | undefined,
  log: RequestLog,
): Promise<Answer> {
  // A supervisor that asks for health must not take a busy service for a dead one, nor a scraper.
  if (overloaded && (route === undefined || route.access === 'signed')) {
    throw new BorealisError(
      'unavailable',
      'Throttling',
      `Rate exceeded: the service handles ${REQUESTS_ACTIVE_MAX} requests at a time.`,
    );
  }
  // Read even when the path or method is wrong: closing on unread bytes could cost the client the answer.
  const body = await readBody(request);
  if (route === undefined) {
    throw new BorealisError('not-found', 'NotFound', 'There is nothing at this path.');
  }
  const method = request.method ?? '';
  if (!route.methods.includes(method)) {
    throw new BorealisError(
      'invalid',
      'MethodNotAllowed',
      `This path takes ${route.methods.join(' and ')} only.`,
    );
  }
  const signedRequest: SignedRequest = {
    method,
    target: request.url ?? '/',
    headers: request.headersDistinct,
    body,
  };
  const policy = {...options, service: SERVICE};
  if (route.access === 'signed') verifySignature(signedRequest, policy);
  else if (route.access === 'token') verifyScraper(signedRequest, policy);
  return route.handle(signedRequest, log);
}

/** `8-4-4-4-12` hexadecimal digits, as AWS writes them. */
function requestId(): string {
  return randomHex(16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
