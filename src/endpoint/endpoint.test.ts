import {once} from 'node:events';
import {createConnection, createServer, type Server, type Socket} from 'node:net';
import mysql from 'mysql2/promise';
import {afterEach, describe, expect, test} from 'vitest';
import {sleep} from '../base/clock.ts';
import {BorealisError} from '../base/errors.ts';
import {Endpoint, type EndpointLimits} from './endpoint.ts';
import {errorResponse} from './refusal.ts';

const opened: {close(): unknown}[] = [];

afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

async function endpointOf(limits: Partial<EndpointLimits> = {}): Promise<Endpoint> {
  const endpoint = await Endpoint.listen(0, limits);
  opened.push(endpoint);
  return endpoint;
}

type Engine = {port: number; sockets: Set<Socket>; stop(): Promise<void>};

/** A server in the engine's place. */
async function engineOf(
  serve: (socket: Socket) => void,
  {allowHalfOpen} = {allowHalfOpen: false},
): Promise<Engine> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({allowHalfOpen}, socket => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const engine = {
    port: address.port,
    sockets,
    async stop() {
      for (const socket of sockets) socket.destroy();
      if (server.listening) await new Promise(resolve => server.close(resolve));
    },
  };
  opened.push({close: () => engine.stop()});
  return engine;
}

const echo = (socket: Socket): void => {
  socket.pipe(socket);
};

async function clientOf(port: number): Promise<Socket> {
  const client = createConnection({host: '127.0.0.1', port});
  client.on('error', () => client.destroy());
  opened.push({close: () => client.destroy()});
  await once(client, 'connect');
  return client;
}

async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.resume();
  if (!socket.readableEnded && !socket.closed) {
    await Promise.race([once(socket, 'end'), once(socket, 'close')]);
  }
  return Buffer.concat(chunks);
}

async function readOnce(socket: Socket): Promise<string> {
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  return chunk.toString();
}

async function eventually(fact: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !fact(); i++) await sleep(10);
  expect(fact()).toBe(true);
}

describe('a ready engine', () => {
  test('is reached through the endpoint, and bytes go both ways unchanged', async () => {
    const engine = await engineOf(echo);
    const endpoint = await endpointOf();
    endpoint.setTarget({state: 'ready', ports: [engine.port]});
    const client = await clientOf(endpoint.port);
    const sent = Buffer.alloc(3_000_000, 'borealis');
    client.end(sent);
    expect((await readAll(client)).equals(sent)).toBe(true);
    await eventually(() => endpoint.connectionCount === 0 && engine.sockets.size === 0);
  });

  test('still answers a client that closed its half', async () => {
    const engine = await engineOf(
      socket => {
        socket.resume();
        socket.on('end', () => socket.end('all read'));
      },
      {allowHalfOpen: true},
    );
    const endpoint = await endpointOf();
    endpoint.setTarget({state: 'ready', ports: [engine.port]});
    const client = await clientOf(endpoint.port);
    client.end('question');
    expect((await readAll(client)).toString()).toBe('all read');
  });

  test('serves two hundred clients at once', async () => {
    const engine = await engineOf(echo);
    const endpoint = await endpointOf();
    endpoint.setTarget({state: 'ready', ports: [engine.port]});
    const answers = await Promise.all(
      Array.from({length: 200}, async (_, index) => {
        const client = await clientOf(endpoint.port);
        client.end(`client ${index}`);
        return (await readAll(client)).toString();
      }),
    );
    expect(answers).toEqual(Array.from({length: 200}, (_, index) => `client ${index}`));
    await eventually(() => endpoint.connectionCount === 0 && engine.sockets.size === 0);
  });

  test('is slowed down by a client that does not read, and loses no byte', async () => {
    let written = 0;
    const total = 64 * 1024 * 1024;
    const block = Buffer.alloc(256 * 1024, 'x');
    const engine = await engineOf(socket => {
      const more = (): void => {
        while (written < total) {
          written += block.length;
          if (!socket.write(block)) {
            socket.once('drain', more);
            return;
          }
        }
        socket.end();
      };
      more();
    });
    const endpoint = await endpointOf();
    endpoint.setTarget({state: 'ready', ports: [engine.port]});
    const client = await clientOf(endpoint.port);
    client.pause();
    await sleep(300);
    const stalledAt = written;
    expect(stalledAt).toBeLessThan(total / 2);
    await sleep(200);
    expect(written).toBe(stalledAt);
    expect((await readAll(client)).length).toBe(total);
  });

  test('sees the connection go when the client is cut off', async () => {
    const engine = await engineOf(socket => socket.resume());
    const endpoint = await endpointOf();
    endpoint.setTarget({state: 'ready', ports: [engine.port]});
    const client = await clientOf(endpoint.port);
    client.write('hello');
    await eventually(() => engine.sockets.size === 1);
    client.resetAndDestroy();
    await eventually(() => engine.sockets.size === 0 && endpoint.connectionCount === 0);
  });
});

describe('an engine that comes and goes', () => {
  test('a client that comes while it starts is held and then served', async () => {
    const engine = await engineOf(echo);
    const endpoint = await endpointOf();
    const client = await clientOf(endpoint.port);
    client.write('early');
    await eventually(() => endpoint.heldCount === 1);
    endpoint.setTarget({state: 'ready', ports: [engine.port]});
    expect(await readOnce(client)).toBe('early');
    await eventually(() => endpoint.heldCount === 0);
  });

  test('a held client that left is forgotten when its time is over', async () => {
    const endpoint = await endpointOf({holdMsMax: 50, cutGraceMs: 50});
    const client = await clientOf(endpoint.port);
    await eventually(() => endpoint.heldCount === 1);
    client.resetAndDestroy();
    await eventually(() => endpoint.heldCount === 0 && endpoint.connectionCount === 0);
  });

  test('its clients see the end when it dies, and new ones reach its successor', async () => {
    const first = await engineOf(echo);
    const endpoint = await endpointOf({cutGraceMs: 50});
    endpoint.setTarget({state: 'ready', ports: [first.port]});
    const old = await clientOf(endpoint.port);
    old.write('one');
    expect(await readOnce(old)).toBe('one');
    const ended = once(old, 'close');
    old.resume();
    await first.stop();
    endpoint.setTarget({state: 'starting'});
    await ended;
    const held = await clientOf(endpoint.port);
    held.write('two');
    const second = await engineOf(echo);
    endpoint.setTarget({state: 'ready', ports: [second.port]});
    expect(await readOnce(held)).toBe('two');
  });

  test('clients of an engine that lost its place are cut although it lives', async () => {
    const engine = await engineOf(echo);
    const endpoint = await endpointOf({cutGraceMs: 20});
    endpoint.setTarget({state: 'ready', ports: [engine.port]});
    const client = await clientOf(endpoint.port);
    client.write('one');
    await readOnce(client);
    endpoint.setTarget({state: 'starting'});
    client.resume();
    await once(client, 'close');
    await eventually(() => engine.sockets.size === 0);
  });

  test('a client is held when the port refuses although it was said to be ready', async () => {
    const gone = await engineOf(echo);
    await gone.stop();
    const endpoint = await endpointOf();
    endpoint.setTarget({state: 'ready', ports: [gone.port]});
    const client = await clientOf(endpoint.port);
    client.write('patience');
    await sleep(60);
    const engine = await engineOf(echo);
    endpoint.setTarget({state: 'ready', ports: [engine.port]});
    expect(await readOnce(client)).toBe('patience');
  });
});

describe('limits', () => {
  test('a client is told when the engine takes too long', async () => {
    const endpoint = await endpointOf({holdMsMax: 30});
    const client = await clientOf(endpoint.port);
    expect((await readAll(client)).toString()).toContain('still starting up');
  });

  test('without an instance a client is told why at once', async () => {
    const endpoint = await endpointOf();
    endpoint.setTarget({state: 'none', reason: 'no DB instance here'});
    const client = await clientOf(endpoint.port);
    const answer = await readAll(client);
    expect(answer.equals(errorResponse('57P03', 'no DB instance here'))).toBe(true);
  });

  test('a client that asks for encryption first is told why too', async () => {
    const endpoint = await endpointOf();
    endpoint.setTarget({state: 'none', reason: 'no DB instance here'});
    const client = await clientOf(endpoint.port);
    client.write(Buffer.from('0000000804d2162f', 'hex'));
    client.once('data', () => client.write(Buffer.from('0000000800030000', 'hex')));
    const answer = await readAll(client);
    expect(answer.toString()).toContain('no DB instance here');
  });

  test('a MySQL client, which waits for the greeting, is told in an error of its protocol', async () => {
    const endpoint = await endpointOf();
    endpoint.setProtocol('mysql');
    endpoint.setTarget({state: 'none', reason: 'DB cluster "shop" has no DB instance'});
    const login = mysql.createConnection({host: '127.0.0.1', port: endpoint.port, user: 'admin'});
    await expect(login).rejects.toMatchObject({
      errno: 1053,
      sqlState: '08S01',
      message: 'DB cluster "shop" has no DB instance',
    });
  });

  test('a MySQL client that is held is greeted once the engine is ready', async () => {
    const engine = await engineOf(socket => socket.end('greeting'));
    const endpoint = await endpointOf();
    endpoint.setProtocol('mysql');
    const client = await clientOf(endpoint.port);
    await sleep(20);
    endpoint.setTarget({state: 'ready', ports: [engine.port]});
    expect((await readAll(client)).toString()).toBe('greeting');
  });

  test('more held clients than the limit are refused', async () => {
    const endpoint = await endpointOf({heldMax: 2});
    await clientOf(endpoint.port);
    await clientOf(endpoint.port);
    await eventually(() => endpoint.heldCount === 2);
    const third = await clientOf(endpoint.port);
    expect((await readAll(third)).toString()).toContain('53300');
    expect(endpoint.heldCount).toBe(2);
  });

  test('more clients than the limit are refused', async () => {
    const engine = await engineOf(echo);
    const endpoint = await endpointOf({connectionsMax: 1});
    endpoint.setTarget({state: 'ready', ports: [engine.port]});
    const first = await clientOf(endpoint.port);
    first.write('in');
    await readOnce(first);
    const second = await clientOf(endpoint.port);
    expect((await readAll(second)).toString()).toContain('too many clients');
  });

  test('a port that is taken is refused by name', async () => {
    const endpoint = await endpointOf();
    const error = await Endpoint.listen(endpoint.port).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(BorealisError);
    expect(error).toMatchObject({code: 'port-in-use', kind: 'conflict'});
    expect(String(error)).toContain(String(endpoint.port));
  });

  test('closing cuts held and served clients', async () => {
    const engine = await engineOf(echo);
    const endpoint = await endpointOf();
    const held = await clientOf(endpoint.port);
    await eventually(() => endpoint.heldCount === 1);
    held.resume();
    const closed = once(held, 'close');
    await endpoint.close();
    await closed;
    expect(endpoint.connectionCount).toBe(0);
    expect(engine.sockets.size).toBe(0);
  });
});

describe('several engines', () => {
  const engines = (count: number): Promise<Engine[]> =>
    Promise.all(Array.from({length: count}, () => engineOf(echo)));
  const portsOf = (all: readonly Engine[]): number[] => all.map(engine => engine.port);
  const counts = (all: readonly Engine[]): number[] => all.map(engine => engine.sockets.size);

  test('get as many connections each, also when they come at once', async () => {
    const all = await engines(3);
    const endpoint = await endpointOf();
    endpoint.setTarget({state: 'ready', ports: portsOf(all)});
    await Promise.all(Array.from({length: 9}, () => clientOf(endpoint.port)));
    await eventually(() => counts(all).every(count => count === 3));
  });

  test('that have lost connections get the next ones', async () => {
    const all = await engines(2);
    const endpoint = await endpointOf();
    endpoint.setTarget({state: 'ready', ports: portsOf(all)});
    const clients = [];
    for (let i = 0; i < 4; i++) clients.push(await clientOf(endpoint.port));
    await eventually(() => counts(all).every(count => count === 2));
    for (const socket of all[0]?.sockets ?? []) socket.destroy();
    await eventually(() => endpoint.connectionCount === 2);
    await clientOf(endpoint.port);
    await clientOf(endpoint.port);
    await eventually(() => counts(all).every(count => count === 2));
    expect(clients).toHaveLength(4);
  });

  test('that are down are passed by', async () => {
    const [up, down] = (await engines(2)) as [Engine, Engine];
    await down.stop();
    const endpoint = await endpointOf();
    endpoint.setTarget({state: 'ready', ports: portsOf([down, up])});
    for (let i = 0; i < 4; i++) await clientOf(endpoint.port);
    await eventually(() => up.sockets.size === 4);
  });

  test('keep their clients while others come, stay or go', async () => {
    const [one, two, three] = (await engines(3)) as [Engine, Engine, Engine];
    const endpoint = await endpointOf({cutGraceMs: 10});
    endpoint.setTarget({state: 'ready', ports: [one.port]});
    const client = await clientOf(endpoint.port);
    await eventually(() => one.sockets.size === 1);
    endpoint.setTarget({state: 'ready', ports: portsOf([one, two])});
    endpoint.setTarget({state: 'ready', ports: portsOf([two, three]), staying: [one.port]});
    await clientOf(endpoint.port);
    await eventually(() => two.sockets.size + three.sockets.size === 1);
    client.write('still here');
    expect(await readOnce(client)).toBe('still here');
    endpoint.setTarget({state: 'ready', ports: portsOf([two, three])});
    await eventually(() => one.sockets.size === 0);
    expect(two.sockets.size + three.sockets.size).toBe(1);
  });
});

test('an endpoint counts whom it accepted, refused and holds', async () => {
  const engine = await engineOf(echo);
  const endpoint = await endpointOf({heldMax: 1, connectionsMax: 2});
  expect(endpoint.statistics()).toEqual({accepted: 0, refused: 0, open: 0, held: 0});
  await clientOf(endpoint.port);
  await expect.poll(() => endpoint.statistics().held).toBe(1);
  const second = await clientOf(endpoint.port);
  const third = await clientOf(endpoint.port);
  await Promise.all([readAll(second), readAll(third)]);
  await expect
    .poll(() => endpoint.statistics())
    .toEqual({accepted: 3, refused: 2, open: 1, held: 1});
  endpoint.setTarget({state: 'ready', ports: [engine.port]});
  await expect.poll(() => endpoint.statistics().held).toBe(0);
  expect(endpoint.statistics()).toEqual({accepted: 3, refused: 2, open: 1, held: 0});
});
