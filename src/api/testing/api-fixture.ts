/** A real API server on a free loopback port, with a clock that a test can move and a log it can read. */
import type {Server} from 'node:http';
import {RDSClient, type RDSClientConfig} from '@aws-sdk/client-rds';
import {pino} from 'pino';
import {assert} from '../../base/assert.ts';
import {systemClock} from '../../base/clock.ts';
import {closeApiServer, createApiServer} from '../http-server.ts';
import type {Monitor} from '../../cluster/metrics/measurements.ts';
import {stubMonitor} from './stub-monitor.ts';
import {createStubControlPlane, type StubControlPlane} from './stub-control-plane.ts';

export const REGION = 'us-east-1';
export const CREDENTIALS = {accessKeyId: 'AKIDBOREALIS', secretAccessKey: 'secret/of+the=fixture'};

export const SCRAPE_TOKEN = 'a-token-of-the-fixture';

export type ApiFixture = {
  readonly server: Server;
  readonly url: string;
  readonly port: number;
  readonly stub: StubControlPlane;
  /** Every line logged so far, parsed. */
  readonly logLines: Record<string, unknown>[];
  /** Added to the server's clock. */
  readonly clockOffset: {ms: number};
  /** The SDK's own client; closed with the fixture. Tries once unless told otherwise. */
  client(config?: RDSClientConfig): RDSClient;
  close(): Promise<void>;
};

export async function startApi(monitor: Monitor = stubMonitor()): Promise<ApiFixture> {
  const stub = createStubControlPlane();
  const logLines: Record<string, unknown>[] = [];
  const clients: RDSClient[] = [];
  const write = (line: string): void => {
    const parsed: Record<string, unknown> = JSON.parse(line);
    logLines.push(parsed);
  };
  const offset = {ms: 0};
  const server = createApiServer({
    controlPlane: stub.controlPlane,
    monitor,
    scrapeToken: SCRAPE_TOKEN,
    credentials: CREDENTIALS,
    region: REGION,
    clock: {...systemClock, nowMs: () => systemClock.nowMs() + offset.ms},
    logger: pino({level: 'debug'}, {write}),
    about: {version: '0.0.0-test'},
  });
  const fixture: ApiFixture = {
    server,
    url: '',
    port: 0,
    stub,
    logLines,
    clockOffset: offset,
    client: config => {
      const client = new RDSClient({
        endpoint: fixture.url,
        region: REGION,
        credentials: CREDENTIALS,
        maxAttempts: 1,
        ...config,
      });
      clients.push(client);
      return client;
    },
    close: async () => {
      for (const client of clients) client.destroy();
      await closeApiServer(server, 1000);
    },
  };
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert(address !== null && typeof address === 'object', 'the server listens on TCP');
  return Object.assign(fixture, {port: address.port, url: `http://127.0.0.1:${address.port}`});
}
