import {InvalidArgumentError, type Command} from 'commander';
import type {Quota} from '../../cluster/quotas.ts';
import {borealisCommand, withService, type CommonOptions} from '../command.ts';
import {renderTable} from '../format/table.ts';
import type {Colors} from '../terminal.ts';

export function quotaCommand(): Command {
  return borealisCommand({
    name: 'quota',
    summary: 'List quotas with what is used of them, or change one',
    description:
      'Lists how many there may be of what, as RDS has it, and how many there are; of a quota for each cluster, in the fullest one. With a name and a limit it changes one; 0 lifts it.',
    examples: [
      ['borealis quota', 'all quotas'],
      ['borealis quota DBClusters 200', 'room for 200 clusters'],
      ['borealis quota CopyOnWriteClonesPerCopy 0', 'as many clones as there is space for'],
    ],
  })
    .argument('[name]', 'the quota to change')
    .argument('[limit]', 'its new value; 0 for none', parseLimit)
    .action(listOrChange);
}

async function listOrChange(
  name: string | undefined,
  limit: number | undefined,
  options: CommonOptions,
): Promise<void> {
  await withService(options, async ({service, terminal}) => {
    const isChange = name !== undefined && limit !== undefined;
    const quotas = isChange ? [await service.setQuota(name, limit)] : await service.quotas();
    const shown = quotas.filter(each => name === undefined || isNamed(each, name));
    terminal.result({quotas: shown}, () => renderQuotas(shown, terminal.colors));
  });
}

export function renderQuotas(quotas: readonly Quota[], colors: Colors): string {
  return renderTable(
    [{head: 'QUOTA'}, {head: 'USED', align: 'right'}, {head: 'LIMIT', align: 'right'}],
    quotas.map(({name, used, limit}) => [name, String(used), limit === 0 ? 'none' : String(limit)]),
    colors,
  );
}

function isNamed(each: Quota, name: string): boolean {
  return each.name.toLowerCase() === name.toLowerCase();
}

function parseLimit(text: string): number {
  if (/^\d{1,7}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It is a whole number, or 0 for no limit.');
}
