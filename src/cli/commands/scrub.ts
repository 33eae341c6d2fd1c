import type {Command} from 'commander';
import {sleep} from '../../base/clock.ts';
import {BorealisError} from '../../base/errors.ts';
import type {ScrubResult} from '../../cluster/records.ts';
import type {BegunScrub} from '../../cluster/scrubber.ts';
import {borealisCommand, withService, type CommonOptions, type ServiceContext} from '../command.ts';
import {EXIT_FAILED, EXIT_OK} from '../exit-status.ts';
import {progressText, renderScrub} from '../format/scrub.ts';
import {findReport} from '../service.ts';

type Options = CommonOptions & {readonly rate: string};

/** As much as a sweep takes: it is not felt beside a writer. */
const DEFAULT_RATE = '256';
const MIB = 2 ** 20;
const POLL_MS = 250;

export function scrubCommand(): Command {
  return borealisCommand({
    name: 'scrub',
    summary: 'Verify every page in every zone of a running service, and repair what is bad',
    description:
      'Reads every page and page-table node that the clusters reach, or one of them, in all zones, verifies each against its checksum, and repairs bad and missing copies from a good one. Clusters go on working. Joins a scrub that runs already. Ctrl-C stops the scrub that this command began, and leaves one that it joined. Exit status 0 when nothing is wrong or everything was repaired; 1 when some page is good in no zone, or a zone could not be read.',
    examples: [
      ['borealis scrub', 'the whole store'],
      ['borealis scrub orders', 'what one cluster reaches, clones’ shared pages included'],
      ['borealis scrub --rate 0', 'as fast as it goes'],
      ["borealis scrub --json | jq '.report.damaged'", 'pages that no zone holds any more'],
    ],
  })
    .argument('[name]', 'one cluster')
    .option('--rate <MiB/s>', 'read at most so much a second; 0 for no limit', DEFAULT_RATE)
    .action(scrub);
}

async function scrub(name: string | undefined, options: Options): Promise<void> {
  const bytesPerSecond = parseRate(options.rate);
  await withService(options, async context => {
    const {service, terminal} = context;
    if (name !== undefined) findReport((await service.reports()).clusters, name);
    const begun = await service.beginScrub({cluster: name ?? null, bytesPerSecond});
    if (begun.joined) terminal.note('A scrub is running already: this joins it.');
    const result = await untilEnd(context, begun);
    terminal.result(result, () => renderScrub(result, terminal.colors));
    const isGood = result.outcome === 'clean' || result.outcome === 'repaired';
    process.exitCode = isGood ? EXIT_OK : EXIT_FAILED;
  });
}

async function untilEnd(
  {service, terminal}: ServiceContext,
  begun: BegunScrub,
): Promise<ScrubResult> {
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    return await terminal.step('scrub', async progress => {
      for (;;) {
        const {running, ended} = await service.scrub();
        if (ended?.id === begun.id) return ended;
        if (running?.id !== begun.id) throw lost();
        progress.update(`scrub: ${progressText(running)}`);
        await sleep(POLL_MS, interrupted.signal);
        if (!interrupted.signal.aborted) continue;
        if (begun.joined) throw left();
        await service.stopScrub(begun.id);
      }
    });
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

function parseRate(text: string): number | null {
  const rate = /^\d{1,7}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(rate)) {
    throw new BorealisError(
      'invalid',
      'InvalidParameterValue',
      `--rate ${JSON.stringify(text)} is not a number of MiB a second; 0 stands for no limit`,
    );
  }
  return rate === 0 ? null : Math.max(1, Math.round(rate * MIB));
}

function lost(): BorealisError {
  const text =
    'The service was started anew meanwhile; it begins a scrub that was cut off again by itself.';
  return new BorealisError('closed', 'scrub-cut-off', text);
}

function left(): BorealisError {
  const text = 'The scrub goes on: another command, or the schedule, began it.';
  return new BorealisError('unavailable', 'scrub-goes-on', text);
}
