import {join} from 'node:path';
import type {Command} from 'commander';
import {AUTHORITY_FILE} from '../../cluster/data-directory.ts';
import {borealisCommand, withService, type CommonOptions} from '../command.ts';
import {connectionUrl} from '../format/connection-url.ts';
import {knownTarget, passwordUnknown} from '../operations.ts';

type Options = CommonOptions & {
  readonly password: boolean;
  readonly reader?: true;
  readonly tls?: true;
};

export function urlCommand(): Command {
  return borealisCommand({
    name: 'url',
    summary: 'Print the connection URL of a cluster',
    examples: [
      ['borealis url orders', 'with the password, percent-encoded'],
      ['borealis url orders --no-password', 'fit to be shown to others'],
      ['borealis url orders --reader', 'of the reader endpoint, for reads alone'],
      ['borealis url orders --tls', 'with TLS, verified by the certificate authority'],
      ['DATABASE_URL="$(borealis url orders)" npm start', 'for a program'],
    ],
  })
    .argument('<name>', 'the cluster')
    .option('--no-password', 'leave the password out')
    .option('--reader', 'of the reader endpoint: readers in turn, the writer while there is none')
    .option('--tls', 'sslmode=verify-full, with the file of the certificate authority')
    .action(url);
}

async function url(name: string, options: Options): Promise<void> {
  await withService(options, async context => {
    const {terminal} = context;
    const known = await knownTarget(context, name);
    const {readerEndpoint} = await context.service.report(name);
    const target = options.reader === true ? {...known, host: readerEndpoint} : known;
    if (options.password && target.password === null) terminal.note(passwordUnknown(target, name));
    const rootCertificateFile = join(context.dataDirectory, AUTHORITY_FILE);
    const tls = options.tls === true ? {rootCertificateFile} : null;
    const shown = connectionUrl(options.password ? target : {...target, password: null}, tls);
    const {host, port, user, database} = target;
    terminal.result({url: shown, host, port, user, database}, () => shown);
  });
}
