import {Command} from 'commander';
import {sleep} from '../../base/clock.ts';
import {BorealisError} from '../../base/errors.ts';
import type {ZoneReport} from '../../cluster/control-plane.ts';
import {parseZoneOption} from '../../cluster/zone-list.ts';
import {borealisCommand, withService, type CommonOptions, type ServiceContext} from '../command.ts';
import {renderTable} from '../format/table.ts';
import type {Colors, Progress} from '../terminal.ts';
import {zoneText} from '../format/zone-state.ts';

const POLL_MS = 200;

type ChangeOptions = CommonOptions & {readonly wait: boolean};

export function zoneCommand(): Command {
  const command = new Command('zone')
    .summary('List, add and remove the zones that the store is kept in')
    .description('Lists the zones of the store, and adds and removes them while the service runs.')
    .exitOverride()
    .showHelpAfterError('(`borealis zone --help` shows the commands)');
  for (const each of [listCommand(), addCommand(), removeCommand()]) command.addCommand(each);
  return command;
}

function listCommand(): Command {
  return borealisCommand({
    name: 'list',
    summary: 'List the zones, how they fare, and a change that is under way',
    examples: [
      ['borealis zone list', 'names, directories, states'],
      ["borealis zone list --json | jq '.change'", 'null once a change is done'],
    ],
  }).action(list);
}

function addCommand(): Command {
  return borealisCommand({
    name: 'add',
    summary: 'Add a zone: fill it while everything goes on, then let it count',
    description:
      'Adds a zone to the store of the running service. It is filled while reads and writes go on, and counts once it holds everything. The change goes on without this command, also after a restart of the service; with two zones or more before, no connection is cut. From one zone to two each engine is started anew once, and endpoints hold its clients meanwhile.',
    examples: [
      ['borealis zone add b=/disks/two', 'from one zone to two'],
      ['borealis zone add c=/disks/three --no-wait', 'and do not wait until it counts'],
    ],
  })
    .argument('<letter=dir>', 'the letter of the zone, a to f, and an empty directory')
    .option('--no-wait', 'return once the change has begun')
    .action(add);
}

function removeCommand(): Command {
  return borealisCommand({
    name: 'remove',
    summary: 'Remove a zone, or give up adding one',
    description:
      'Removes a zone from the store of the running service. The others must have a write quorum without it and be up to date. Its directory stays as it is, marked as no part of the store. Of a zone that is still being filled, what was copied is deleted.',
    examples: [['borealis zone remove b', 'the others hold everything']],
  })
    .argument('<letter>', 'the letter of the zone')
    .option('--no-wait', 'return once the change has begun')
    .action(remove);
}

async function list(options: CommonOptions): Promise<void> {
  await withService(options, async ({service, terminal}) => {
    const report = await service.zones();
    terminal.result(report, () => renderZones(report, terminal.colors));
  });
}

async function add(text: string, options: ChangeOptions): Promise<void> {
  const {letter, directory} = parseZoneOption(text);
  await withService(options, async context => {
    await change(context, options, `add zone ${letter}`, () =>
      context.service.addZone({letter, directory}),
    );
  });
}

async function remove(letter: string, options: ChangeOptions): Promise<void> {
  await withService(options, async context => {
    await change(context, options, `remove zone ${letter}`, () =>
      context.service.removeZone({letter}),
    );
  });
}

async function change(
  {service, terminal}: ServiceContext,
  {wait}: ChangeOptions,
  name: string,
  begin: () => Promise<ZoneReport>,
): Promise<void> {
  const report = await terminal.step(name, async progress => {
    const begun = await begin();
    return wait && begun.change !== null
      ? await untilDone(() => service.zones(), begun.change, name, progress)
      : begun;
  });
  terminal.result(report, () => renderZones(report, terminal.colors));
}

async function untilDone(
  look: () => Promise<ZoneReport>,
  {kind, zone}: NonNullable<ZoneReport['change']>,
  name: string,
  progress: Progress,
): Promise<ZoneReport> {
  for (;;) {
    const report = await look();
    if (report.change === null || report.change.zone !== zone) {
      const isThere = report.zones.some(each => each.name === zone);
      if (isThere === (kind === 'add')) return report;
      if (kind === 'remove') return report;
      throw new BorealisError('conflict', 'zone-given-up', `Adding zone ${zone} was given up.`);
    }
    progress.update(`${name}: ${changeText(report)}`);
    await sleep(POLL_MS);
  }
}

function changeText({change: under, zones}: ZoneReport): string {
  if (under === null) return '';
  const state = zones.find(({name}) => name === under.zone)?.state;
  const filling = state?.state === 'catching-up' ? `, ${zoneText(state)}` : '';
  const waiting = under.waitingFor.map(reason => `; ${reason}`).join('');
  return `${under.phase}${filling}${waiting}`;
}

function renderZones(report: ZoneReport, colors: Colors): string {
  const table = renderTable(
    [{head: 'ZONE'}, {head: 'DIRECTORY'}, {head: 'COUNTS'}, {head: 'STATE'}],
    report.zones.map(({name, directory, counts, state}) => [
      name,
      directory,
      counts ? 'yes' : 'not yet',
      zoneText(state, colors),
    ]),
    colors,
  );
  const {change: under} = report;
  if (under === null) return table;
  return `${table}\nUnder way: ${under.kind} ${under.zone}: ${changeText(report)}\n`;
}
