import type {Command} from 'commander';
import {borealisCommand, withService, type CommonOptions} from '../command.ts';
import {metricsTokenFile} from '../data-directory.ts';

type Options = CommonOptions & {readonly scrapeConfig?: true};

export function metricsCommand(): Command {
  return borealisCommand({
    name: 'metrics',
    summary: 'Print what Prometheus is given, or how to have it scrape this service',
    description:
      'Prints the page of GET /metrics in Prometheus’s text format. A scraper proves itself by the token in the file metrics-token of the data directory; docs/metrics.md explains every metric.',
    examples: [
      ['borealis metrics | grep replica_lag', 'what there is now'],
      ['borealis metrics --scrape-config', 'YAML for prometheus.yml'],
      ['borealis metrics --json | jq -r .tokenFile', 'where the token is'],
    ],
  })
    .option('--scrape-config', 'print a scrape_config for this service instead')
    .action(metrics);
}

async function metrics(options: Options): Promise<void> {
  await withService(options, async ({service, terminal, dataDirectory}) => {
    const url = new URL('/metrics', service.record.url);
    const tokenFile = metricsTokenFile(dataDirectory);
    const config = scrapeConfig(url, tokenFile);
    if (options.scrapeConfig === true) {
      terminal.result({url: url.href, tokenFile, config}, () => config);
    } else {
      const page = await service.metrics();
      terminal.result({url: url.href, tokenFile, page}, () => page);
    }
  });
}

/** JSON strings are YAML strings too, whatever is in them. */
function scrapeConfig(url: URL, tokenFile: string): string {
  return `scrape_configs:
  - job_name: borealis
    static_configs:
      - targets: [${JSON.stringify(url.host)}]
    authorization:
      credentials_file: ${JSON.stringify(tokenFile)}
`;
}
