/** What `npm run torture` is told. */
import {randomInt} from 'node:crypto';
import {parseArgs} from 'node:util';

const SEED_MAX = 2 ** 31;

export type CommandOptions = {
  readonly minutes: number;
  /** It ends after so many, if the minutes were not over before. */
  readonly rounds: number;
  readonly seed: number;
  readonly zones: number;
  readonly postgresBin: string | undefined;
  readonly json: boolean;
};

/** @throws Error that names the option, its value and what is allowed. */
export function parseOptions(args: readonly string[]): CommandOptions {
  const {values} = parseArgs({
    args: [...args],
    options: {
      minutes: {type: 'string', default: '1'},
      rounds: {type: 'string'},
      seed: {type: 'string'},
      zones: {type: 'string', default: '3'},
      'postgres-bin': {type: 'string'},
      json: {type: 'boolean', default: false},
    },
  });
  return {
    minutes: parseMinutes(values.minutes),
    rounds: values.rounds === undefined ? Infinity : parseRounds(values.rounds),
    seed: values.seed === undefined ? randomInt(1, SEED_MAX) : parseSeed(values.seed),
    zones: parseZones(values.zones),
    postgresBin: values['postgres-bin'],
    json: values.json,
  };
}

function parseMinutes(text: string): number {
  const minutes = Number(text);
  if (minutes > 0 && minutes < Infinity) return minutes;
  throw new Error(`--minutes ${JSON.stringify(text)} is not a number above 0`);
}

function parseRounds(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new Error(`--rounds ${JSON.stringify(text)} is not a whole number from 1 to 999999999`);
}

function parseSeed(text: string): number {
  const seed = Number(text);
  if (/^\d+$/.test(text) && seed < SEED_MAX) return seed;
  throw new Error(`--seed ${JSON.stringify(text)} is not a whole number from 0 to ${SEED_MAX - 1}`);
}

function parseZones(text: string): number {
  if (/^[13456]$/.test(text)) return Number(text);
  throw new Error(
    `--zones ${JSON.stringify(text)} is not 1 or from 3 to 6: of two zones none can be lost without stopping writes`,
  );
}
