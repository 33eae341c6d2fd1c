/** Whether every zone of the store is whole again, as the service says and as a scrub finds. */
import {sleep, systemClock} from '../src/base/clock.ts';
import type {Service} from '../src/cli/service.ts';
import type {ScrubResult} from '../src/cluster/records.ts';
import {scrubMessage} from '../src/cluster/scrub-result.ts';

const HEALTHY_LIMIT_MS = 120_000;
const SCRUB_LIMIT_MS = 120_000;
/** A zone that is slow to answer on a busy machine is left unread: that says nothing of it. */
const SCRUB_TRIES = 3;
const POLL_MS = 100;

/** Why not; null once they are. */
export async function zonesFault(service: Service): Promise<string | null> {
  const deadlineMs = systemClock.monotonicMs() + HEALTHY_LIMIT_MS;
  for (;;) {
    const {zones} = await service.zones();
    const ill = zones.map(({state}) => state).filter(({state}) => state !== 'healthy');
    if (ill.length === 0) return null;
    if (systemClock.monotonicMs() > deadlineMs) {
      return `after ${HEALTHY_LIMIT_MS / 1000} s: ${JSON.stringify(ill)}`;
    }
    await sleep(POLL_MS);
  }
}

/** What a scrub of the store found that it could not put right, or why it could not look; else null. */
export async function scrubFault(service: Service): Promise<string | null> {
  let fault: string | null = null;
  for (let tries = 0; tries < SCRUB_TRIES; tries++) {
    const {id} = await service.beginScrub({cluster: null, bytesPerSecond: null});
    const ended = await endOf(service, id);
    if (ended === null) return `it did not end within ${SCRUB_LIMIT_MS / 1000} s`;
    if (ended.outcome === 'clean' || ended.outcome === 'repaired') return null;
    fault = describe(ended);
    if (ended.outcome !== 'incomplete') break;
  }
  return fault;
}

async function endOf(service: Service, id: string): Promise<ScrubResult | null> {
  const deadlineMs = systemClock.monotonicMs() + SCRUB_LIMIT_MS;
  while (systemClock.monotonicMs() < deadlineMs) {
    const {ended} = await service.scrub();
    if (ended?.id === id) return ended;
    await sleep(POLL_MS);
  }
  return null;
}

function describe(ended: ScrubResult): string {
  const damaged = ended.report?.damaged ?? [];
  return `${scrubMessage(ended)} ${JSON.stringify(damaged)}`;
}
