import type {Command} from 'commander';
import {borealisCommand, withService, type CommonOptions} from '../command.ts';
import {connectionEnvironment, shellExports} from '../format/connection-url.ts';
import {knownTarget, passwordUnknown} from '../operations.ts';

export function envCommand(): Command {
  return borealisCommand({
    name: 'env',
    summary: 'Print exports for AWS tools, and those of a cluster’s clients',
    description:
      'Prints shell exports that point the AWS CLI, the AWS SDKs, boto3 and Terraform at this service; with NAME also the variables that its clients read: PG* of psql, pg_dump and most drivers, MYSQL_* of mariadb and mysql. The output holds secrets: eval it rather than keep it.',
    examples: [
      ['eval "$(borealis env)"', 'then: aws rds describe-db-clusters'],
      ['eval "$(borealis env orders)"', 'then: psql, pg_dump, …'],
      ['borealis env --json', 'for a program'],
    ],
  })
    .argument('[name]', 'a cluster')
    .action(env);
}

async function env(name: string | undefined, options: CommonOptions): Promise<void> {
  await withService(options, async context => {
    const {service, terminal} = context;
    const {url, region} = service.record;
    const variables: Record<string, string> = {
      AWS_ENDPOINT_URL: url,
      AWS_ENDPOINT_URL_RDS: url,
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      AWS_ACCESS_KEY_ID: service.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: service.credentials.secretAccessKey,
    };
    if (name !== undefined) {
      const target = await knownTarget(context, name);
      if (target.password === null) terminal.note(passwordUnknown(target, name));
      Object.assign(variables, connectionEnvironment(target));
    }
    terminal.result(variables, () => shellExports(variables));
  });
}
