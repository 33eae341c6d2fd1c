import type {Command} from 'commander';
import {findMysql, runClient} from '../client-programs.ts';
import {borealisCommand, withService, type CommonOptions} from '../command.ts';
import type {ConnectionTarget} from '../format/connection-url.ts';
import {knownTarget, passwordUnknown, refuseOtherEngine} from '../operations.ts';

export function mysqlCommand(): Command {
  return borealisCommand({
    name: 'mysql',
    summary: 'Open mariadb or mysql on a cluster',
    description:
      'Runs an installed mariadb (or else mysql) client on the cluster endpoint as the master user. What follows -- goes to the client, whose exit status is passed on. The password travels in the environment, never in the arguments. With --json prints what would be run instead, without the password.',
    examples: [
      ['borealis mysql shop', 'an interactive session'],
      ["borealis mysql shop -- -e 'SELECT version()'", 'one statement'],
      ['borealis mysql shop -- orders < schema.sql', 'a script, into the database orders'],
    ],
  })
    .argument('<name>', 'the cluster')
    .argument('[args...]', 'for the client, after --')
    .action(mysql);
}

async function mysql(name: string, args: readonly string[], options: CommonOptions): Promise<void> {
  await withService(options, async context => {
    const {terminal} = context;
    await refuseOtherEngine(context, name, 'aurora-mysql');
    const target = await knownTarget(context, name);
    const program = await findMysql();
    const all = [...clientArguments(target), ...args];
    if (options.json === true) {
      terminal.printJson({program, args: all});
      return;
    }
    if (target.password === null && process.env['MYSQL_PWD'] === undefined) {
      terminal.note(passwordUnknown(target, name));
    }
    context.service.close();
    const environment = target.password === null ? {} : {MYSQL_PWD: target.password};
    process.exitCode = await runClient(program, all, environment);
  });
}

/** The cluster's own database, which a name among the client's own arguments goes over. */
function clientArguments({host, port, user, database}: ConnectionTarget): string[] {
  return [
    `--host=${host}`,
    `--port=${port}`,
    `--user=${user}`,
    '--protocol=TCP',
    ...(database === '' ? [] : [`--database=${database}`]),
  ];
}
