/**
 * A line of the log for people:
 *
 *     {"level":40,"time":…,"component":"service","zone":"b","msg":"gone"}
 *     12:03:04.250 WARN  service  gone  zone=b
 */
import type {Colors} from '../terminal.ts';

const LEVELS = [
  [60, 'FATAL', 'red'],
  [50, 'ERROR', 'red'],
  [40, 'WARN', 'yellow'],
  [30, 'INFO', 'green'],
  [20, 'DEBUG', 'dim'],
  [0, 'TRACE', 'dim'],
] as const;
const LEVEL_WIDTH = 5;

/** `line` as base/log.ts writes it; the result ends with a newline too. */
export function prettyLogLine(line: string, colors: Colors): string {
  const entry = JSON.parse(line) as Record<string, unknown>;
  const {level, time, component, msg, ...fields} = entry;
  const [, name, color] = LEVELS.find(([least]) => Number(level) >= least) ?? LEVELS[5];
  const clock = new Date(Number(time)).toISOString().slice(11, 23);
  const words = [
    colors.dim(clock),
    colors[color](name.padEnd(LEVEL_WIDTH)),
    String(component),
    ...(msg === undefined ? [] : ['', typeof msg === 'string' ? msg : plain(msg)]),
  ];
  const rest = Object.entries(fields).map(([key, value]) => colors.dim(`${key}=${plain(value)}`));
  return `${words.join(' ')}${rest.length === 0 ? '' : `  ${rest.join(' ')}`}\n`;
}

function plain(value: unknown): string {
  return typeof value === 'string' && /^[\w.:/-]+$/.test(value) ? value : JSON.stringify(value);
}
