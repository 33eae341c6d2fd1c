import type {Command} from 'commander';
import {borealisCommand, withService, type CommonOptions} from '../command.ts';
import {addInstance, readerName, untilInstance} from '../operations.ts';

export function addReaderCommand(): Command {
  return borealisCommand({
    name: 'add-reader',
    summary: 'Add a reader to a cluster',
    description:
      'Adds a reader: a server that follows the writer and can take over from it. It copies nothing, whatever the size of the cluster. Prints its endpoint.',
    examples: [
      ['borealis add-reader orders', 'named orders-reader-1, or the next number that is free'],
      ['borealis add-reader orders orders-reports', 'with a name'],
    ],
  })
    .argument('<cluster>', 'the cluster')
    .argument('[name]', 'name of the DB instance')
    .action(addReader);
}

async function addReader(
  cluster: string,
  name: string | undefined,
  options: CommonOptions,
): Promise<void> {
  await withService(options, async context => {
    const {service, terminal} = context;
    const reader = name ?? readerName(await service.report(cluster));
    const {endpoint, port, startSteps} = await terminal.step(`start reader ${reader}`, async () => {
      await addInstance(context, cluster, reader);
      return untilInstance(context, cluster, reader);
    });
    terminal.result(
      {cluster, identifier: reader, endpoint, port, startSteps},
      () => `${endpoint}:${port}`,
    );
  });
}
