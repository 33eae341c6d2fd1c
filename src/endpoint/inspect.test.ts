/** Endpoints that look at what a client says first: TLS, cancel requests, tokens, and clients that misbehave. */
import {once} from 'node:events';
import {createConnection, createServer, type Socket} from 'node:net';
import {connect as connectTls, createSecureContext, TLSSocket} from 'node:tls';
import fc from 'fast-check';
import {afterEach, describe, expect, test} from 'vitest';
import {sleep, systemClock} from '../base/clock.ts';
import {issueAuthority, issueClient, issueServer} from '../base/x509.ts';
import {Endpoint, type EndpointLimits} from './endpoint.ts';
import type {Gate, TokenGate} from './gate.ts';

const now = systemClock.nowMs();
const PERIOD = {notBeforeMs: now - 60_000, notAfterMs: now + 3_600_000};
const authority = issueAuthority('endpoint test', PERIOD);
const server = issueServer(authority, 'endpoint', ['127.0.0.1'], PERIOD);
const certificate = createSecureContext({cert: server.certificate, key: server.key});
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const CANCEL = Buffer.from('0000001004d2162e0000000700000009', 'hex');
const opened: {close(): unknown}[] = [];

afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

function gate(tokens: TokenGate | null = null): Gate {
  return {mode: 'inspect', certificate, authority: authority.certificate, tokens};
}

function startup(user: string): Buffer {
  const words = Buffer.from(`database\0d\0user\0${user}\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + words.length, 0);
  head.writeInt32BE(196_608, 4);
  return Buffer.concat([head, words]);
}

type Engine = {port: number; received: string[]; users: (string | null)[]};

/** Says what it got, over TLS or not, and closes on a cancel request. */
async function engineOf(): Promise<Engine> {
  const engine: Engine = {port: 0, received: [], users: []};
  const sockets = new Set<Socket>();
  const listen = (socket: Socket, who: string | null): void => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes: Buffer) => {
      if (bytes.equals(SSL_REQUEST)) {
        socket.removeAllListeners('data');
        socket.write('S');
        const secure = new TLSSocket(socket, {
          isServer: true,
          secureContext: certificate,
          requestCert: true,
          rejectUnauthorized: false,
        });
        secure.on('secure', () => {
          engine.users.push(secure.getPeerX509Certificate()?.subject.split('CN=')[1] ?? null);
        });
        listen(secure, 'tls');
        return;
      }
      engine.received.push(bytes.toString('latin1'));
      if (bytes.equals(CANCEL)) socket.end();
      else socket.write(`${who ?? 'clear'} ${bytes.length}`);
    });
  };
  const tcp = createServer(socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    listen(socket, null);
  });
  tcp.listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  const address = tcp.address();
  engine.port = typeof address === 'object' && address !== null ? address.port : 0;
  opened.push({
    close: () => {
      for (const socket of sockets) socket.destroy();
      tcp.close();
    },
  });
  return engine;
}

async function endpointOf(
  ports: readonly number[],
  tokens: TokenGate | null = null,
  limits: Partial<EndpointLimits> = {},
): Promise<Endpoint> {
  const endpoint = await Endpoint.listen(0, limits);
  endpoint.setGate(gate(tokens));
  if (ports.length > 0) endpoint.setTarget({state: 'ready', ports});
  opened.push(endpoint);
  return endpoint;
}

async function clientOf(port: number): Promise<Socket> {
  const client = createConnection({host: '127.0.0.1', port});
  client.on('error', () => client.destroy());
  opened.push({close: () => client.destroy()});
  await once(client, 'connect');
  return client;
}

async function secured(port: number): Promise<TLSSocket> {
  const socket = await clientOf(port);
  socket.write(SSL_REQUEST);
  expect(await readOnce(socket)).toBe('S');
  const secure = connectTls({socket, host: '127.0.0.1', ca: authority.certificate});
  secure.on('error', () => secure.destroy());
  await once(secure, 'secureConnect');
  return secure;
}

async function readOnce(socket: Socket): Promise<string> {
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  return chunk.toString('latin1');
}

async function closed(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  if (!socket.closed) await once(socket, 'close');
  return Buffer.concat(chunks).toString('latin1');
}

async function eventually(fact: () => boolean): Promise<void> {
  for (let i = 0; i < 1_000 && !fact(); i++) await sleep(10);
  expect(fact()).toBe(true);
}

describe('sessions', () => {
  test('in clear stay in clear, and over TLS are over TLS to the engine', async () => {
    const engine = await engineOf();
    const endpoint = await endpointOf([engine.port]);
    const plain = await clientOf(endpoint.port);
    const packet = startup('u');
    plain.write(packet);
    expect(await readOnce(plain)).toBe(`clear ${packet.length}`);
    const secure = await secured(endpoint.port);
    secure.write(packet);
    expect(await readOnce(secure)).toBe(`tls ${packet.length}`);
    expect(engine.users).toEqual([null]);
    secure.destroy();
    plain.destroy();
    await eventually(() => endpoint.connectionCount === 0);
  });

  test('bytes in pieces, and many of them, pass unchanged', async () => {
    const engine = await engineOf();
    const endpoint = await endpointOf([engine.port]);
    const client = await clientOf(endpoint.port);
    const packet = startup('u');
    for (const byte of packet) {
      client.write(Buffer.from([byte]));
      await sleep(1);
    }
    await eventually(() => engine.received.length > 0);
    const more = 'x'.repeat(3_000_000);
    client.write(more, 'latin1');
    await eventually(() => engine.received.join('').length === packet.length + more.length);
    expect(engine.received.join('')).toBe(packet.toString('latin1') + more);
  });

  test('held over TLS are told over TLS why they are refused', async () => {
    const endpoint = await endpointOf([], null, {holdMsMax: 200});
    const client = await secured(endpoint.port);
    client.write(startup('u'));
    expect(await closed(client)).toMatch(/^E.*57P03.*still starting up/s);
  });
});

describe('a cancel request', () => {
  test('in clear and over TLS goes to every engine, those that get nobody new as well', async () => {
    const [a, b] = [await engineOf(), await engineOf()];
    const endpoint = await endpointOf([]);
    endpoint.setTarget({state: 'ready', ports: [a.port], staying: [b.port]});
    for (const client of [await clientOf(endpoint.port), await secured(endpoint.port)]) {
      client.write(CANCEL);
      await closed(client);
    }
    const packet = CANCEL.toString('latin1');
    expect([a.received, b.received]).toEqual([
      [packet, packet],
      [packet, packet],
    ]);
  });

  test('ends at once where there is no engine', async () => {
    const endpoint = await endpointOf([]);
    const client = await clientOf(endpoint.port);
    client.write(CANCEL);
    expect(await closed(client)).toBe('');
  });
});

describe('a login by token', () => {
  const tokens: TokenGate = {
    isTokenUser: async (_, user) => user.startsWith('app'),
    refusal: (token, user) => (token === `token of ${user}` ? null : 'no'),
    credential: user => issueClient(authority, user, PERIOD),
  };
  const password = (text: string): Buffer => {
    const head = Buffer.from([0x70, 0, 0, 0, 0]);
    head.writeInt32BE(4 + text.length + 1, 1);
    return Buffer.concat([head, Buffer.from(`${text}\0`)]);
  };

  test('that is good opens a session with a certificate in the name of its user', async () => {
    const engine = await engineOf();
    const endpoint = await endpointOf([engine.port], tokens);
    const client = await secured(endpoint.port);
    client.write(startup('app1'));
    expect(await readOnce(client)).toBe('R\0\0\0\b\0\0\0\x03');
    client.write(password('token of app1'));
    expect(await readOnce(client)).toMatch(/^tls /);
    expect(engine.users).toEqual(['app1']);
  });

  test('that is not opens nothing, and the engine sees no startup of it', async () => {
    const engine = await engineOf();
    const endpoint = await endpointOf([engine.port], tokens);
    for (const answer of [password('token of app2'), password(''), Buffer.from('Q\0\0\0\x05\0')]) {
      const client = await secured(endpoint.port);
      client.write(startup('app1'));
      await readOnce(client);
      client.write(answer);
      expect(await closed(client)).toMatch(/^E.*28000.*PAM authentication failed/s);
    }
    expect(engine.received).toEqual([]);
  });

  test('is not asked for in clear, nor of others', async () => {
    const engine = await engineOf();
    const endpoint = await endpointOf([engine.port], tokens);
    const plain = await clientOf(endpoint.port);
    plain.write(startup('app1'));
    expect(await readOnce(plain)).toMatch(/^clear /);
    const other = await secured(endpoint.port);
    other.write(startup('other'));
    expect(await readOnce(other)).toMatch(/^tls /);
    expect(engine.users).toEqual([null]);
  });
});

describe('clients that misbehave', () => {
  test('are cut when they say nothing in time, before TLS, in it and after it', async () => {
    const engine = await engineOf();
    const endpoint = await endpointOf([engine.port], null, {openingMsMax: 1_500});
    const silent = await clientOf(endpoint.port);
    const half = await clientOf(endpoint.port);
    half.write(startup('u').subarray(0, 9));
    const handshake = await clientOf(endpoint.port);
    handshake.write(SSL_REQUEST);
    const secure = await secured(endpoint.port);
    await Promise.all([silent, half, handshake, secure].map(closed));
    await eventually(() => endpoint.connectionCount === 0);
    expect(engine.received).toEqual([]);
  });

  test('cannot hide bytes behind a request for TLS', async () => {
    const endpoint = await endpointOf([(await engineOf()).port]);
    const client = await clientOf(endpoint.port);
    client.write(Buffer.concat([SSL_REQUEST, startup('u')]));
    expect(await closed(client)).toBe('');
  });

  test('that flood before an engine is there are read no further than their opening', async () => {
    const endpoint = await endpointOf([]);
    const client = await clientOf(endpoint.port);
    client.write(startup('u'));
    let taken = 0;
    const block = Buffer.alloc(1024 * 1024);
    for (let i = 0; i < 64; i++) client.write(block, () => (taken += block.length));
    await eventually(() => endpoint.heldCount === 1);
    await sleep(300);
    expect(taken).toBeLessThan(16 * 1024 * 1024);
  });

  test('whatever they send first, the endpoint goes on serving', async () => {
    const engine = await engineOf();
    const endpoint = await endpointOf([engine.port], null, {openingMsMax: 300});
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({maxLength: 64}),
          fc.uint8Array({maxLength: 40}).map(rest => Buffer.concat([SSL_REQUEST, rest])),
          fc
            .uint8Array({maxLength: 40})
            .map(rest => Buffer.concat([Buffer.from([0x16, 3, 1]), rest])),
          fc.uint8Array({maxLength: 40}).map(rest => Buffer.concat([startup('u'), rest])),
        ),
        async bytes => {
          const client = await clientOf(endpoint.port);
          client.resume();
          client.end(bytes);
          await Promise.race([once(client, 'close'), sleep(1_000)]);
          client.destroy();
        },
      ),
      {numRuns: 100},
    );
    await eventually(() => endpoint.connectionCount === 0);
    const client = await clientOf(endpoint.port);
    client.write(startup('u'));
    expect(await readOnce(client)).toMatch(/^clear /);
  });
});
