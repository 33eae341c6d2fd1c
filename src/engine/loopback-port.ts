/** Ports for servers that cannot be asked to take any free one. */
import {createServer} from 'node:net';
import {BorealisError} from '../base/errors.ts';

/** Another process may take the port between our look and the server's bind; twice in a row is bad luck. */
export const PORT_ATTEMPTS_MAX = 8;

/** Another process may take it before it is used; the caller tries again. */
export function freeLoopbackPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === 'string') {
          reject(new BorealisError('internal', 'engine-start', 'a listening socket has no port'));
        } else resolve(address.port);
      });
    });
  });
}

export function portInUse(port: number, cause: unknown): BorealisError {
  return new BorealisError(
    'unavailable',
    'engine-port-in-use',
    `port ${port} of the DB instance is in use by another program; end that program`,
    cause,
  );
}
