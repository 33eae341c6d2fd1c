import {pino, type DestinationStream, type Logger} from 'pino';

export type {Logger} from 'pino';

/** Keys whose values never reach a log line, at any depth that Borealis logs at. */
const SECRET_KEYS = ['password', 'masterUserPassword', 'MasterUserPassword', 'secretAccessKey'];

/**
 * JSON lines on stderr, one object a line. `BOREALIS_LOG_LEVEL` (trace … error, silent) sets the
 * level; the default is `info`.
 */
export function createLogger(
  component: string,
  destination: DestinationStream = pino.destination({dest: 2, sync: true}),
): Logger {
  return pino(
    {
      level: process.env['BOREALIS_LOG_LEVEL'] ?? 'info',
      base: null,
      // A line that an instance passed on has a component of its own, which then counts, and no key is there twice.
      mixin: () => ({component}),
      redact: SECRET_KEYS.flatMap(key => [key, `*.${key}`, `*.*.${key}`]),
    },
    destination,
  );
}
