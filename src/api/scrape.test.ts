import * as fc from 'fast-check';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';
import {SCRAPE_TOKEN, startApi, type ApiFixture} from './testing/api-fixture.ts';
import {parsePage, valueOf} from './testing/prometheus-text.ts';
import {everythingMeasured, NOTHING_MEASURED, stubMonitor} from './testing/stub-monitor.ts';

let measured = NOTHING_MEASURED;
let api: ApiFixture;
beforeEach(async () => {
  measured = NOTHING_MEASURED;
  api = await startApi({
    measure: () => stubMonitor(measured).measure(),
    readiness: () => stubMonitor(measured).readiness(),
  });
});
afterEach(async () => {
  await api.close();
});

function scrape(authorization: string | null, path = '/metrics'): Promise<Response> {
  return fetch(api.url + path, {headers: authorization === null ? {} : {authorization}});
}

describe('GET /metrics', () => {
  it.each(['Bearer', 'bearer', 'BEARER '])('is for who has the token (%s)', async scheme => {
    measured = everythingMeasured();
    const response = await scrape(`${scheme} ${SCRAPE_TOKEN}`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const page = parsePage(await response.text());
    const orders = {cluster: 'orders'};
    expect(valueOf(page, 'borealis_volume_used_bytes', orders)).toBe(81_920);
  });

  it('is for who signs, as all else', async () => {
    const url = new URL('/metrics', api.url);
    const signer = await api.client().config.signer();
    const {headers} = await signer.sign({
      ...{method: 'GET', protocol: 'http:', hostname: url.hostname, port: api.port},
      ...{path: '/metrics', query: {}, headers: {host: url.host}},
    });
    expect((await fetch(url, {headers})).status).toBe(200);
  });

  it('says to who has neither that something is missing', async () => {
    const response = await scrape(null);
    expect(response.status).toBe(403);
    expect(await response.text()).toContain('MissingAuthenticationToken');
  });

  it('refuses any other token with 401, and repeats neither', async () => {
    const near = fc.array(fc.constantFrom(...SCRAPE_TOKEN.split(''), 'x', 'Q'), {maxLength: 60});
    const bad = fc
      .oneof(
        near.map(some => some.join('')),
        fc.stringMatching(/^[!-~]{0,80}$/),
        fc.constantFrom(`${SCRAPE_TOKEN} ${SCRAPE_TOKEN}`, `${SCRAPE_TOKEN},`, `"${SCRAPE_TOKEN}"`),
        fc.nat(SCRAPE_TOKEN.length - 1).map(length => SCRAPE_TOKEN.slice(0, length)),
      )
      .filter(token => token.trim() !== SCRAPE_TOKEN);
    await fc.assert(
      fc.asyncProperty(bad, async token => {
        const response = await scrape(`Bearer ${token}`);
        expect(response.status).toBe(401);
        expect(response.headers.get('www-authenticate')).toBe('Bearer realm="metrics"');
        const text = await response.text();
        expect(text).toContain('InvalidBearerToken');
        expect(text).not.toContain(SCRAPE_TOKEN);
        expect(text).not.toContain('borealis_');
      }),
      {numRuns: 300},
    );
    expect(JSON.stringify(api.logLines)).not.toContain(SCRAPE_TOKEN);
  });

  it('takes the token from the Authorization header alone', async () => {
    expect((await scrape(null, `/metrics?token=${SCRAPE_TOKEN}`)).status).toBe(403);
    expect((await scrape(`Basic ${btoa(`:${SCRAPE_TOKEN}`)}`)).status).toBe(400);
    const twice = await fetch(`${api.url}/metrics`, {
      headers: {authorization: `Bearer ${SCRAPE_TOKEN}`, 'x-authorization': SCRAPE_TOKEN},
      method: 'POST',
    });
    expect(twice.status).toBe(405);
  });

  it.each(['/', '/borealis/v1/clusters', '/borealis/v1/status'])(
    'has a token that opens nothing else (%s)',
    async path => {
      const response = await scrape(`Bearer ${SCRAPE_TOKEN}`, path);
      expect(response.status).toBe(400);
      expect(await response.text()).toContain('IncompleteSignature');
      expect(api.stub.calls).toEqual([]);
    },
  );

  it('counts requests by what was asked for, and whatever nobody knows as one', async () => {
    for (const path of ['/health', '/nothing', '/nothing/else', '/metrics'])
      await scrape(null, path);
    const page = parsePage(await (await scrape(`Bearer ${SCRAPE_TOKEN}`)).text());
    const requests = (action: string, status: string): number | undefined =>
      valueOf(page, 'borealis_api_requests_total', {action, status});
    expect(requests('/health', '200')).toBe(1);
    expect(requests('unknown', '404')).toBe(2);
    expect(requests('/metrics', '403')).toBe(1);
  });
});

describe('health', () => {
  it('is ready once recovered, with a write quorum', async () => {
    measured = everythingMeasured();
    const response = await fetch(`${api.url}/health/ready`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({status: 'ready'});
  });

  it('is alive before, and says why it is not ready', async () => {
    expect((await fetch(`${api.url}/health`)).status).toBe(200);
    const response = await fetch(`${api.url}/health/ready`);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      status: 'not-ready',
      reason: 'The service is recovering.',
    });
  });
});
