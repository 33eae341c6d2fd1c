import type {Command} from 'commander';
import {borealisCommand, withService, type CommonOptions} from '../command.ts';
import {connectionUrl} from '../format/connection-url.ts';
import {knownTarget, passwordUnknown} from '../operations.ts';

type Options = CommonOptions & {readonly password: boolean};

export function urlCommand(): Command {
  return borealisCommand({
    name: 'url',
    summary: 'Print the connection URL of a cluster',
    examples: [
      ['borealis url orders', 'with the password, percent-encoded'],
      ['borealis url orders --no-password', 'fit to be shown to others'],
      ['DATABASE_URL="$(borealis url orders)" npm start', 'for a program'],
    ],
  })
    .argument('<name>', 'the cluster')
    .option('--no-password', 'leave the password out')
    .action(url);
}

async function url(name: string, options: Options): Promise<void> {
  await withService(options, async context => {
    const {terminal} = context;
    const target = await knownTarget(context, name);
    if (options.password && target.password === null) terminal.note(passwordUnknown(target, name));
    const shown = connectionUrl(options.password ? target : {...target, password: null});
    const {host, port, user, database} = target;
    terminal.result({url: shown, host, port, user, database}, () => shown);
  });
}
