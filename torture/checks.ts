/** What is asked of a server after each fault, and of each clone. */
import {errorChain} from '../src/base/errors.ts';
import {fullCheck} from '../src/demo/full-check.ts';
import type {SqlClient} from '../src/demo/sql-client.ts';
import type {Outcome} from '../conformance/outcome.ts';
import {checkLedger} from './ledger.ts';

const SHOWN_MAX = 10;

export type Checker = {
  readonly outcomes: readonly Outcome[];
  /** Notes one fact. A fault text is the reason why it does not hold. */
  note(name: string, fault: string | null): void;
};

export function newChecker(log: (line: string) => void): Checker {
  const outcomes: Outcome[] = [];
  return {
    outcomes,
    note: (name, fault) => {
      outcomes.push({name, outcome: fault === null ? 'passed' : 'failed', reason: fault});
      if (fault !== null) log(`FAILED ${name}: ${fault}`);
    },
  };
}

/** All that must hold on a server, each a check of its own. */
export async function checkServer(
  checker: Checker,
  when: string,
  client: SqlClient,
  seed: number,
  expect: {before(): readonly number[]; after(): number},
): Promise<void> {
  const ledger = await checkLedger(client, seed, expect);
  checker.note(`${when}: no acknowledged commit is lost`, listed(ledger.lost, 'lost'));
  checker.note(
    `${when}: nothing is there that was not sent, or not yet`,
    listed(ledger.foreign, 'foreign'),
  );
  checker.note(`${when}: balances add up`, ledger.balances);
  checker.note(`${when}: the engine's own check finds nothing`, await checkFault(client));
  checker.note(`${when}: page checksums are on and none failed`, await checksumFault(client));
}

function listed(ids: readonly number[], what: string): string | null {
  if (ids.length === 0) return null;
  return `${ids.length} ${what}: ${ids.slice(0, SHOWN_MAX).join(', ')}${ids.length > SHOWN_MAX ? ', …' : ''}`;
}

async function checkFault(client: SqlClient): Promise<string | null> {
  try {
    const {faults} = await fullCheck(client, () => undefined);
    return faults.length === 0 ? null : faults.slice(0, SHOWN_MAX).join('; ');
  } catch (error) {
    return errorChain(error);
  }
}

async function checksumFault(client: SqlClient): Promise<string | null> {
  if (client.engine === 'aurora-mysql') return mysqlChecksumFault(client);
  const {rows} = await client.query<{enabled: string; failures: string}>(
    `SELECT current_setting('data_checksums') AS enabled,
            coalesce(sum(checksum_failures), 0)::text AS failures FROM pg_stat_database`,
  );
  const {enabled, failures} = rows[0] ?? {enabled: '', failures: ''};
  if (enabled === 'on' && failures === '0') return null;
  return `data_checksums is ${enabled}, ${failures} failures`;
}

/** A page that does not match its checksum ends the server, or is told by the check. */
async function mysqlChecksumFault(client: SqlClient): Promise<string | null> {
  const {rows} = await client.query<{name: string}>('SELECT @@innodb_checksum_algorithm AS name');
  const name = rows[0]?.name ?? '';
  return name.includes('crc32') ? null : `innodb_checksum_algorithm is ${name}`;
}
