import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import type {Command} from 'commander';
import {BorealisError, systemErrorCode} from '../../base/errors.ts';
import {AUTHORITY_FILE} from '../../cluster/data-directory.ts';
import {borealisCommand, contextOf, type CommonOptions} from '../command.ts';

export function caCommand(): Command {
  return borealisCommand({
    name: 'ca',
    summary: 'Print the certificate that TLS clients trust',
    description:
      'Prints the certificate of the data directory’s certificate authority in PEM. With it as sslrootcert, and sslmode=verify-full, clients verify every endpoint. The service need not run.',
    examples: [
      ['borealis ca > borealis-ca.pem', 'for psql, drivers and AWS_CA_BUNDLE-like settings'],
      ['PGSSLROOTCERT=borealis-ca.pem PGSSLMODE=verify-full psql …', 'then: verified'],
      ['borealis ca --json', 'with its file, fingerprint and validity'],
    ],
  }).action(ca);
}

async function ca(options: CommonOptions): Promise<void> {
  const {terminal, dataDirectory} = contextOf(options);
  const file = join(dataDirectory, AUTHORITY_FILE);
  let certificate: string;
  try {
    certificate = await readFile(file, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
    throw new BorealisError(
      'not-found',
      'authority-missing',
      `There is no ${file}; the first start of the service (\`borealis up\`) makes it`,
      error,
    );
  }
  const {describeAuthority} = await import('../../cluster/certificates.ts');
  const {identifier, thumbprint, validFrom, validTill} = describeAuthority(certificate);
  terminal.result(
    {
      certificate,
      file,
      identifier,
      thumbprint,
      validFrom: validFrom.toISOString(),
      validTill: validTill.toISOString(),
    },
    () => certificate.trimEnd(),
  );
}
