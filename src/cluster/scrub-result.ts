/** How a scrub ended, in a word and in a sentence. */
import type {ScrubReport} from '../volume/scrub-report.ts';
import type {ScrubResult} from './records.ts';

/** `incomplete`: nothing was found that could not be put right, but not all could be read. */
export type ScrubOutcome = 'clean' | 'repaired' | 'incomplete' | 'damaged' | 'failed' | 'stopped';

export function outcomeOf({zones, repaired, damaged}: ScrubReport): ScrubOutcome {
  if (damaged.length > 0) return 'damaged';
  if (zones.some(({unread}) => unread > 0)) return 'incomplete';
  return repaired.length > 0 ? 'repaired' : 'clean';
}

export function scrubMessage({cluster, outcome, durationMs, reason, report}: ScrubResult): string {
  const what = cluster === null ? 'A scrub of the store' : `A scrub of DB cluster ${cluster}`;
  const seconds = (durationMs / 1000).toFixed(1);
  if (report === null)
    return `${what} ${outcome === 'stopped' ? 'was stopped' : 'failed'} after ${seconds} s: ${reason}`;
  const {zones} = report;
  const units = Math.max(0, ...zones.map(zone => zone.units));
  const sum = (count: (zone: (typeof zones)[number]) => number): number =>
    zones.reduce((total, zone) => total + count(zone), 0);
  const unread = sum(zone => zone.unread);
  return [
    `${what} ended after ${seconds} s: ${units} pages read in each of ${zones.length} zones`,
    `${sum(zone => zone.repaired)} copies repaired`,
    `${report.damaged.length + report.damagedMore} pages damaged beyond repair`,
    ...(unread === 0 ? [] : [`${unread} copies not read, because their zones were away`]),
  ].join(', ');
}
