import {createInterface} from 'node:readline';
import type {Command} from 'commander';
import {BorealisError} from '../../base/errors.ts';
import {randomToken} from '../../base/random.ts';
import {borealisCommand, withService, type CommonOptions} from '../command.ts';
import {storePassword} from '../data-directory.ts';
import {connectionUrl} from '../format/connection-url.ts';
import {firstQuery} from '../first-query.ts';
import {addWriter, connectionTarget, parsePort, writerName} from '../operations.ts';

type Options = CommonOptions & {
  readonly engine: string;
  readonly engineVersion?: string;
  readonly username?: string;
  readonly password?: string;
  readonly database?: string;
  readonly port?: string;
};

/** 24 characters of 62 are 142 bits, more than the SHA-256 handshake can use of a password's worth. */
const GENERATED_PASSWORD_LENGTH = 24;

export function createCommand(): Command {
  return borealisCommand({
    name: 'create',
    summary: 'Create a cluster with its writer',
    description:
      'Creates a DB cluster and its writer in one step, waits until it serves, and prints its connection URL on stdout. The password is kept (mode 0600) in the data directory for `url`, `psql`, `mysql`, `env` and `clone`.',
    examples: [
      ['borealis create orders', 'password made up and shown in the URL, once'],
      ['borealis create orders --database shop --port 15432', 'with a database and a fixed port'],
      ['borealis create shop --engine aurora-mysql', 'on MariaDB, where it is installed'],
      ['pass show db | borealis create orders --password -', 'password from standard input'],
      ['psql "$(borealis create orders)"', 'straight into it'],
    ],
  })
    .argument('<name>', 'name of the cluster: letters, digits, hyphens; begins with a letter')
    .option('--engine <engine>', 'aurora-postgresql or aurora-mysql', 'aurora-postgresql')
    .option('--engine-version <version>', 'one that DescribeDBEngineVersions lists')
    .option('--username <name>', 'master user (default: postgres; of aurora-mysql, admin)')
    .option('--password <password>', 'of the master user; - reads a line from stdin')
    .option('--database <name>', 'make a database of that name')
    .option('--port <port>', 'of the cluster endpoint (default: the service picks one)')
    .action(create);
}

async function create(name: string, options: Options): Promise<void> {
  writerName(name);
  const port = options.port === undefined ? undefined : parsePort(options.port, '--port', 1);
  await withService(options, async context => {
    const {service, terminal, dataDirectory} = context;
    const password = await passwordOf(options);
    const resourceId = await terminal.step(`create cluster ${name}`, async () => {
      const {DBCluster} = await service.call(rds =>
        rds.createDBCluster({
          DBClusterIdentifier: name,
          Engine: options.engine,
          EngineVersion: options.engineVersion,
          MasterUsername: options.username ?? defaultUsername(options.engine),
          MasterUserPassword: password,
          DatabaseName: options.database,
          Port: port,
        }),
      );
      return DBCluster?.DbClusterResourceId ?? '';
    });
    await storePassword(dataDirectory, resourceId, password);
    const report = await addWriter(context, name);
    const target = connectionTarget(report, password);
    await firstQuery(context, target);
    const url = connectionUrl(target);
    terminal.result({cluster: report, url, steps: terminal.steps}, () => url);
  });
}

/** Those of the RDS console and of PostgreSQL itself. */
function defaultUsername(engine: string): string {
  return engine === 'aurora-mysql' ? 'admin' : 'postgres';
}

async function passwordOf(options: Options): Promise<string> {
  if (options.password === undefined) return randomToken(GENERATED_PASSWORD_LENGTH);
  if (options.password !== '-') return options.password;
  for await (const line of createInterface({input: process.stdin})) return line;
  throw new BorealisError(
    'invalid',
    'InvalidParameterValue',
    '--password - reads the password from standard input, which was empty',
  );
}
