import {createInterface} from 'node:readline/promises';
import type {Command} from 'commander';
import {sleep, systemClock} from '../../base/clock.ts';
import {BorealisError} from '../../base/errors.ts';
import type {ClusterReport} from '../../cluster/control-plane.ts';
import {borealisCommand, withService, type CommonOptions, type ServiceContext} from '../command.ts';
import {forgetPassword} from '../data-directory.ts';
import {describeCluster} from '../operations.ts';

type Options = CommonOptions & {readonly yes?: true};

const POLL_MS = 50;
const DELETE_TIMEOUT_MS = 5 * 60_000;

export function deleteCommand(): Command {
  return borealisCommand({
    name: 'delete',
    summary: 'Delete a cluster and its instances',
    description:
      'Deletes the instances of a cluster, then the cluster, without a final snapshot. Its clones live on: pages that they share with it stay.',
    examples: [
      ['borealis delete orders-dev', 'asks first'],
      ['borealis delete orders-dev --yes', 'for scripts: does not ask'],
    ],
  })
    .argument('<name>', 'the cluster')
    .option('-y, --yes', 'do not ask')
    .action(deleteCluster);
}

async function deleteCluster(name: string, options: Options): Promise<void> {
  await withService(options, async context => {
    const {service, terminal, dataDirectory} = context;
    const cluster = await describeCluster(context, name);
    if (cluster.DeletionProtection === true) {
      throw new BorealisError(
        'conflict',
        'InvalidParameterCombination',
        `Cluster ${name} is protected; switch that off first: aws rds modify-db-cluster --db-cluster-identifier ${name} --no-deletion-protection`,
      );
    }
    const report = await service.report(name);
    if (options.yes !== true) await confirm(report);
    // Readers first: a writer that is deleted before them would fail over.
    const isWriter = ({role}: ClusterReport['instances'][number]): number =>
      role === 'writer' ? 1 : 0;
    for (const instance of report.instances.toSorted((a, b) => isWriter(a) - isWriter(b))) {
      await terminal.step(`delete instance ${instance.identifier}`, async () => {
        if (instance.status !== 'deleting') {
          await service.call(rds =>
            rds.deleteDBInstance({
              DBInstanceIdentifier: instance.identifier,
              SkipFinalSnapshot: true,
            }),
          );
        }
        await waitUntil(context, `instance ${instance.identifier} to go`, async () => {
          const now = await currentReport(context, name);
          return now?.instances.every(other => other.identifier !== instance.identifier) ?? true;
        });
      });
    }
    await terminal.step(`delete cluster ${name}`, async () => {
      await service.call(rds =>
        rds.deleteDBCluster({DBClusterIdentifier: name, SkipFinalSnapshot: true}),
      );
      await waitUntil(context, `cluster ${name} to go`, async () => {
        const now = await currentReport(context, name);
        return now === undefined || now.createdAt !== report.createdAt;
      });
    });
    await forgetPassword(dataDirectory, cluster.DbClusterResourceId);
    terminal.result({deleted: report.identifier, steps: terminal.steps}, () => `Deleted ${name}.`);
  });
}

async function currentReport(
  {service}: ServiceContext,
  identifier: string,
): Promise<ClusterReport | undefined> {
  const {clusters} = await service.reports();
  return clusters.find(cluster => cluster.identifier === identifier.toLowerCase());
}

async function waitUntil(
  context: ServiceContext,
  what: string,
  done: () => Promise<boolean>,
): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + DELETE_TIMEOUT_MS;
  while (!(await done())) {
    if (systemClock.monotonicMs() > deadlineMs) {
      throw new BorealisError(
        'unavailable',
        'delete-not-in-time',
        `Waited ${DELETE_TIMEOUT_MS / 60_000} minutes for ${what} (data directory ${context.dataDirectory}); the service goes on, look with \`borealis list\``,
      );
    }
    await sleep(POLL_MS);
  }
}

async function confirm(report: ClusterReport): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new BorealisError(
      'invalid',
      'confirmation-needed',
      `Deleting ${report.identifier} needs a confirmation and standard input is no terminal; say --yes if you mean it`,
    );
  }
  const prompt = createInterface({input: process.stdin, output: process.stderr});
  try {
    const answer = await prompt.question(
      `Delete cluster ${report.identifier} with ${report.instances.length} instance(s) and all of its data? Type its name: `,
    );
    if (answer.trim() === report.identifier) return;
  } finally {
    prompt.close();
  }
  throw new BorealisError('conflict', 'not-confirmed', 'Not confirmed: nothing was deleted');
}
