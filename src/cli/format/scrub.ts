/** A scrub as a person reads it. */
import type {ScrubResult} from '../../cluster/records.ts';
import type {ScrubStatus} from '../../cluster/scrubber.ts';
import type {Damage} from '../../page-store/zone.ts';
import type {Colors} from '../terminal.ts';
import {formatBytes, formatCount, formatDuration} from './quantity.ts';
import {renderFields} from './table.ts';

/** Listed in the terminal; `--json` has more. */
const SHOWN_MAX = 20;

export function renderScrub(result: ScrubResult, colors: Colors): string {
  const {report, durationMs, reason} = result;
  if (report === null) {
    return renderFields([['result', `${outcomeText(result, colors)}: ${reason ?? ''}`]], colors);
  }
  const bytes = report.zones.reduce((sum, zone) => sum + zone.bytes, 0);
  const rate = formatBytes(durationMs === 0 ? 0 : bytes / (durationMs / 1000));
  const zones = report.zones.map(({zone, units, bytes: read, repaired, unread}) => {
    const parts = [
      `${formatCount(units)} pages, ${formatBytes(read)}`,
      ...(repaired === 0 ? [] : [`${formatCount(repaired)} repaired`]),
      ...(unread === 0 ? [] : [`${formatCount(unread)} not read: the zone was away`]),
    ];
    return [`zone ${zone}`, parts.join(', ')] as const;
  });
  const fields = renderFields(
    [
      ['result', outcomeText(result, colors)],
      ['volumes', formatCount(report.volumes)],
      ...zones,
      ['took', `${formatDuration(durationMs)}, ${rate}/s`],
    ],
    colors,
  );
  return [
    fields,
    ...listed(report.repaired, report.repairedMore, 'repaired in'),
    ...listed(report.damaged, report.damagedMore, 'DAMAGED, tried'),
  ].join('');
}

function listed(findings: readonly Damage[], more: number, how: string): string[] {
  const shown = findings.slice(0, SHOWN_MAX);
  const left = findings.length - shown.length + more;
  return [
    ...shown.map(
      ({what, volume, segment, offset, zones}) =>
        `${how} ${zones.join(', ')}: ${what} (volume ${volume}, segment ${segment}, offset ${offset})\n`,
    ),
    ...(left === 0 ? [] : [`${how} …: ${formatCount(left)} more\n`]),
  ];
}

export function outcomeText({outcome}: ScrubResult, colors: Colors): string {
  switch (outcome) {
    case 'clean':
      return colors.green('nothing is wrong');
    case 'repaired':
      return colors.green('everything that was wrong is repaired');
    case 'incomplete':
      return colors.yellow('a zone could not be read; nothing else is wrong');
    case 'damaged':
      return colors.red('some pages are good in no zone');
    case 'failed':
      return colors.red('it failed');
    case 'stopped':
      return colors.yellow('it was stopped');
  }
}

/** For a line of `borealis status`. */
export function scrubText({running, last, nextAtMs}: ScrubStatus, colors: Colors): string {
  const parts = [
    last === null
      ? 'none yet'
      : `${new Date(last.endedAtMs).toISOString()}: ${outcomeText(last, colors)}`,
    ...(running === null ? [] : [`running: ${progressText(running)}`]),
    ...(running !== null || nextAtMs === null
      ? []
      : [`next one due ${new Date(nextAtMs).toISOString()}`]),
  ];
  return parts.join('; ');
}

export function progressText({
  bytesDone,
  bytesTotal,
  cluster,
}: NonNullable<ScrubStatus['running']>): string {
  const of = cluster === null ? '' : `cluster ${cluster}, `;
  if (bytesTotal === 0) return `${of}looking what there is`;
  const percent = Math.min(100, (bytesDone / bytesTotal) * 100).toFixed(0);
  return `${of}${percent} % of ${formatBytes(bytesTotal)}`;
}
