import type {Command} from 'commander';
import {borealisCommand, withService, type CommonOptions} from '../command.ts';
import {connectionEnvironment} from '../format/connection-url.ts';
import {knownTarget, passwordUnknown, refuseOtherEngine} from '../operations.ts';
import {findPsql, runClient} from '../client-programs.ts';

export function psqlCommand(): Command {
  return borealisCommand({
    name: 'psql',
    summary: 'Open psql on a cluster',
    description:
      'Runs an installed psql on the cluster endpoint as the master user. What follows -- goes to psql, whose exit status is passed on. The password travels in the environment, never in the arguments. With --json prints what would be run instead, without the password.',
    examples: [
      ['borealis psql orders', 'an interactive session'],
      ["borealis psql orders -- -c 'SELECT version()'", 'one statement'],
      ['borealis psql orders -- -f schema.sql', 'a script'],
    ],
  })
    .argument('<name>', 'the cluster')
    .argument('[args...]', 'for psql, after --')
    .action(psql);
}

async function psql(name: string, args: readonly string[], options: CommonOptions): Promise<void> {
  await withService(options, async context => {
    const {terminal} = context;
    await refuseOtherEngine(context, name, 'aurora-postgresql');
    const target = await knownTarget(context, name);
    const program = await findPsql();
    if (options.json === true) {
      const environment = connectionEnvironment({...target, password: null});
      terminal.printJson({program, args, environment});
      return;
    }
    if (target.password === null && process.env['PGPASSWORD'] === undefined) {
      terminal.note(passwordUnknown(target, name));
    }
    context.service.close();
    process.exitCode = await runClient(program, args, connectionEnvironment(target));
  });
}
