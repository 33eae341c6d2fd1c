/** What is done to a cluster that serves. Another kind, such as the loss of a zone, is another entry. */
import type {SeededRandom} from '../src/base/testing/seeded-random.ts';
import {findProcesses, unmountVolume} from './processes.ts';

export type Victim = {
  /** Where the ledger's server itself listens. */
  readonly enginePort: number;
  readonly random: SeededRandom;
  /** `kill -9` of the service, then `up` again. */
  restartService(): Promise<void>;
};

export type Fault = {readonly name: string; strike(victim: Victim): Promise<void>};

export const FAULTS: readonly Fault[] = [
  {
    name: 'kill -9 of a backend, if there are any',
    strike: async ({enginePort, random}) => {
      const {backends, server} = findProcesses(enginePort);
      kill((backends.length > 0 ? backends[random.below(backends.length)] : null) ?? server);
    },
  },
  {
    name: 'kill -9 of the server',
    strike: async ({enginePort}) => kill(findProcesses(enginePort).server),
  },
  {
    name: 'kill -9 of the instance',
    strike: async ({enginePort}) => kill(findProcesses(enginePort).instance),
  },
  {
    name: 'the FUSE mount taken away',
    strike: ({enginePort}) => unmountVolume(findProcesses(enginePort).instance),
  },
  {
    name: 'kill -9 of the service',
    strike: victim => victim.restartService(),
  },
];

/** Endlessly, each kind once in each turn, in an order that the seed gives. */
export function* faultOrder(random: SeededRandom): Generator<Fault, never> {
  for (;;) {
    const bag = [...FAULTS];
    while (bag.length > 0) yield* bag.splice(random.below(bag.length), 1);
  }
}

function kill(pid: number): void {
  process.kill(pid, 'SIGKILL');
}
