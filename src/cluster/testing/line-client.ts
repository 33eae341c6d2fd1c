/** The client's side of the line protocol that fake instances speak. */
import {once} from 'node:events';
import {createConnection, createServer} from 'node:net';
import {createInterface} from 'node:readline';

/** Sends one line to an endpoint and resolves with the answer, or rejects when the connection breaks. */
export async function ask(port: number, line: string): Promise<string> {
  return await askAt('127.0.0.1', port, line);
}

/** The same at another address than the cluster endpoint's. */
export async function askAt(host: string, port: number, line: string): Promise<string> {
  const socket = createConnection({host, port});
  try {
    return await new Promise<string>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('closed without an answer')));
      // It tells the socket's errors once more.
      createInterface({input: socket}).once('line', resolve).on('error', reject);
      socket.write(`${line}\n`);
    });
  } finally {
    socket.destroy();
  }
}

/** A port of loopback that nobody has now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}
