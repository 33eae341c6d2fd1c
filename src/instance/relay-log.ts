/**
 * What an instance process writes to stderr, line by line, put into the service's log: its own log
 * lines at their level, anything else (a stack, a complaint of a program) as a warning.
 */
import type {Readable} from 'node:stream';
import type {Logger} from '../base/log.ts';

/** The end of what was said explains a sudden death; more would hide the point. */
const TAIL_LENGTH_MAX = 4_096;

const LEVELS = [
  [50, 'error'],
  [40, 'warn'],
  [30, 'info'],
  [0, 'debug'],
] as const;

/** Returns a function that gives the end of what was said other than in log lines. */
export function relayLog(stream: Readable, logger: Logger): () => string {
  let rest = '';
  let tail = '';
  const take = (line: string): void => {
    if (line.trim() === '') return;
    const entry = parseEntry(line);
    if (entry === null) {
      tail = `${tail}${line}\n`.slice(-TAIL_LENGTH_MAX);
      logger.warn(line);
    } else logger[entry.level](entry.fields, entry.message);
  };
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) take(line);
  });
  stream.on('end', () => take(rest));
  return () => tail.trim();
}

type Entry = {
  readonly level: (typeof LEVELS)[number][1];
  readonly message: string;
  readonly fields: object;
};

/** A line of base/log.ts, or null. */
function parseEntry(line: string): Entry | null {
  if (!line.startsWith('{"level":')) return null;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  if (typeof value !== 'object' || value === null || !('level' in value)) return null;
  const {level, time: _time, msg, ...fields} = value as Record<string, unknown>;
  const name = LEVELS.find(([least]) => Number(level) >= least)?.[1] ?? 'debug';
  return {level: name, message: typeof msg === 'string' ? msg : '', fields};
}
