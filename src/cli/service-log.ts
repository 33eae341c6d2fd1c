/**
 * The log of `borealis up`.
 *
 *     json     stderr has nothing but JSON lines: a warning of Node and the reason of a sudden end are
 *              lines of the log too. A start that fails says so in words, as every command does
 *     pretty   a line for people, beside the progress of the command
 *     auto     pretty on a terminal; else JSON lines beside the progress
 */
import type {Logger} from '../base/log.ts';
import {errorMessage} from '../base/errors.ts';
import {prettyLogLine} from './format/log-line.ts';
import {colorsOf} from './terminal.ts';

export const LOG_FORMATS = ['auto', 'json', 'pretty'] as const;
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export type LogOptions = {
  readonly logFormat: (typeof LOG_FORMATS)[number];
  readonly logLevel: (typeof LOG_LEVELS)[number];
};

export async function openServiceLog({logFormat, logLevel}: LogOptions): Promise<Logger> {
  // Instances take it from their environment.
  process.env['BOREALIS_LOG_LEVEL'] = logLevel;
  const {createLogger} = await import('../base/log.ts');
  if (logFormat === 'pretty' || (logFormat === 'auto' && process.stderr.isTTY)) {
    const colors = colorsOf(process.stderr);
    return createLogger('service', {
      write: line => void process.stderr.write(prettyLogLine(line, colors)),
    });
  }
  const logger = createLogger('service');
  if (logFormat === 'json') logAllThatNodeSays(logger);
  return logger;
}

function logAllThatNodeSays(logger: Logger): void {
  // Node's own listener prints it.
  process.removeAllListeners('warning');
  process.on('warning', ({name, message}) => logger.warn({name}, message));
  process.on('uncaughtException', error => {
    logger.fatal({stack: error instanceof Error ? error.stack : undefined}, errorMessage(error));
    process.exit(1);
  });
}
