/**
 * Ports of endpoints. Those that Borealis chooses lie below the ephemeral range (32768 and up on
 * Linux), so that no outgoing connection takes one while the service is down.
 */
import {BorealisError} from '../base/errors.ts';
import {Endpoint} from '../endpoint/endpoint.ts';
import {invalidValue} from './faults.ts';

const CHOSEN_PORT_MIN = 15_432;
const CHOSEN_PORT_MAX = 19_999;
/** The range that RDS allows. */
const PORT_MIN = 1_150;
const PORT_MAX = 65_535;

/**
 * A free port, chosen, bound and listening. `taken` are ports that belong to somebody else already.
 * Each account looks from a place of its own, so that a service does not take the ports of another
 * one, with another data directory, that happens to be down.
 */
export async function listenOnFreePort(
  taken: ReadonlySet<number>,
  accountId: string,
): Promise<Endpoint> {
  const count = CHOSEN_PORT_MAX - CHOSEN_PORT_MIN + 1;
  const first = Number(accountId) % count;
  for (let step = 0; step < count; step++) {
    const port = CHOSEN_PORT_MIN + ((first + step) % count);
    if (taken.has(port)) continue;
    const endpoint = await tryListen(port);
    if (endpoint !== undefined) return endpoint;
  }
  throw new BorealisError(
    'quota',
    'InsufficientDBClusterCapacityFault',
    `Every port from ${CHOSEN_PORT_MIN} to ${CHOSEN_PORT_MAX} is taken. Delete a DB cluster, or end the programs that hold them.`,
  );
}

/** The port that a caller asked for. */
export async function listenOnPort(port: number, taken: ReadonlySet<number>): Promise<Endpoint> {
  if (!Number.isInteger(port) || port < PORT_MIN || port > PORT_MAX) {
    throw invalidValue(
      `The parameter Port must be a whole number from ${PORT_MIN} to ${PORT_MAX}. Given: ${port}`,
    );
  }
  if (taken.has(port)) {
    throw invalidValue(`Port ${port} is the endpoint port of another DB cluster or DB instance.`);
  }
  const endpoint = await tryListen(port);
  if (endpoint === undefined) {
    throw invalidValue(`Port ${port} is in use by another program. Choose a free one, or none.`);
  }
  return endpoint;
}

async function tryListen(port: number): Promise<Endpoint | undefined> {
  try {
    return await Endpoint.listen(port);
  } catch (error) {
    if (error instanceof BorealisError && error.code === 'port-in-use') return undefined;
    throw error;
  }
}
