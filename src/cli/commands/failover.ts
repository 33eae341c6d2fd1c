import type {Command} from 'commander';
import {borealisCommand, withService, type CommonOptions} from '../command.ts';
import {untilInstance} from '../operations.ts';

type Options = CommonOptions & {readonly target?: string};

export function failoverCommand(): Command {
  return borealisCommand({
    name: 'failover',
    summary: 'Let a reader take over as the writer of a cluster',
    description:
      'Lets a reader take over as the writer. The old writer becomes a reader. Endpoints stay; connections to both servers are cut, and new ones are held until the new writer serves.',
    examples: [
      ['borealis failover orders', 'to the reader with the lowest promotion tier'],
      ['borealis failover orders --target orders-reader-2', 'to this one'],
    ],
  })
    .argument('<cluster>', 'the cluster')
    .option('--target <name>', 'the reader that takes over')
    .action(failover);
}

async function failover(cluster: string, options: Options): Promise<void> {
  await withService(options, async context => {
    const {service, terminal} = context;
    const writer = await terminal.step(`fail over ${cluster}`, async () => {
      const answer = await service.call(rds =>
        rds.failoverDBCluster({
          DBClusterIdentifier: cluster,
          TargetDBInstanceIdentifier: options.target,
        }),
      );
      const members = answer.DBCluster?.DBClusterMembers ?? [];
      const name = members.find(member => member.IsClusterWriter)?.DBInstanceIdentifier ?? '';
      await untilInstance(context, cluster, name);
      return name;
    });
    terminal.result({cluster, writer}, () => `${writer} is the writer of ${cluster}`);
  });
}
