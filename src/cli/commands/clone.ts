import type {Command} from 'commander';
import {systemClock} from '../../base/clock.ts';
import {borealisCommand, withService, type CommonOptions} from '../command.ts';
import {forgetPassword, readPassword, storePassword} from '../data-directory.ts';
import {connectionUrl} from '../format/connection-url.ts';
import {formatBytes, formatDuration} from '../format/quantity.ts';
import {firstQueryUnlessRefused} from '../first-query.ts';
import {
  addWriter,
  connectionTarget,
  describeCluster,
  parsePort,
  passwordUnknown,
  writerName,
} from '../operations.ts';

type Options = CommonOptions & {readonly port?: string};

export function cloneCommand(): Command {
  return borealisCommand({
    name: 'clone',
    summary: 'Clone a cluster by copy-on-write, with a writer of its own',
    description:
      'Clones a cluster as it is now (RestoreDBClusterToPointInTime, copy-on-write) and adds a writer, in one step; prints the connection URL on stdout and the time to the first query on stderr. No page is copied; the source goes on serving. Users and passwords are the source’s.',
    examples: [
      ['borealis clone orders orders-dev', 'a full copy to play with'],
      ['borealis clone orders-dev orders-test', 'a clone of a clone'],
      ['psql "$(borealis clone orders try-1)"', 'straight into it'],
      ['borealis clone orders try-2 --json', 'with each step and its duration'],
    ],
  })
    .argument('<source>', 'the cluster to clone')
    .argument('<name>', 'name of the new cluster')
    .option('--port <port>', 'of the new cluster endpoint (default: the service picks one)')
    .action(clone);
}

async function clone(source: string, name: string, options: Options): Promise<void> {
  writerName(name);
  const port = options.port === undefined ? undefined : parsePort(options.port, '--port', 1);
  await withService(options, async context => {
    const {service, terminal, dataDirectory} = context;
    const {DbClusterResourceId: sourceId} = await describeCluster(context, source);
    const password = await readPassword(dataDirectory, sourceId);
    const startedMs = systemClock.monotonicMs();
    const resourceId = await terminal.step(`clone ${source} to ${name}`, async () => {
      const {DBCluster} = await service.call(rds =>
        rds.restoreDBClusterToPointInTime({
          DBClusterIdentifier: name,
          SourceDBClusterIdentifier: source,
          RestoreType: 'copy-on-write',
          UseLatestRestorableTime: true,
          Port: port,
        }),
      );
      return DBCluster?.DbClusterResourceId ?? '';
    });
    if (password !== null) await storePassword(dataDirectory, resourceId, password);
    const report = await addWriter(context, name);
    const target = connectionTarget(report, password);
    // A password that was changed through the API is not the one that was kept: the clone is good all the same.
    const answered = password !== null && (await firstQueryUnlessRefused(context, target));
    const toFirstQueryMs = answered ? systemClock.monotonicMs() - startedMs : null;
    if (!answered) {
      if (password !== null) await forgetPassword(dataDirectory, resourceId);
      terminal.note(passwordUnknown(target, name));
    }
    if (toFirstQueryMs !== null) {
      terminal.note(
        `${formatDuration(toFirstQueryMs)} to the first query, ${formatBytes(report.bytesCopiedAtBirth)} copied`,
      );
    }
    const url = connectionUrl(answered ? target : {...target, password: null});
    terminal.result({cluster: report, url, toFirstQueryMs, steps: terminal.steps}, () => url);
  });
}
