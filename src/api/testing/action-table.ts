/** docs/actions.md: every action of the RDS API with what Borealis makes of it, from the code and the SDK's schemas. */
import {ACTIONS} from '../actions.ts';
import {API_VERSION, OPERATIONS} from '../protocol/model.ts';

/** Actions that are performed in order to refuse, as RDS does for an instance of an Aurora cluster. */
const REFUSALS: ReadonlyMap<string, string> = new Map([
  ['StartDBInstance', 'the fault of RDS for an Aurora instance: `InvalidParameterCombination`'],
  ['StopDBInstance', 'the fault of RDS for an Aurora instance: `InvalidParameterCombination`'],
]);

/** What the actions that are not performed are about; the first that fits tells. */
const SUBJECTS: readonly (readonly [RegExp, string])[] = [
  [/Snapshot/, 'snapshots, which Borealis does not have yet'],
  [/Backtrack/, 'backtrack, which Borealis does not have yet'],
  [/AutomatedBackup/, 'automated backups, which Borealis does not have yet'],
  [/RestoreDBCluster/, 'restoring from S3'],
  [/RestoreDBInstance/, 'DB instances outside of Aurora clusters'],
  [/ProxyEndpoint|DBProxy|DBProxies/, 'RDS Proxy'],
  [/GlobalCluster/, 'global databases: there is one region'],
  [/BlueGreen|SwitchoverBlue/, 'blue/green deployments'],
  [/OptionGroup/, 'option groups, which Aurora PostgreSQL does not use'],
  [/SecurityGroup/, 'DB security groups of EC2-Classic'],
  [/Reserved/, 'reserved instances: nothing is billed'],
  [/ExportTask/, 'exports to S3'],
  [/CapacityReservation/, 'reservations of capacity: there is one machine'],
  [/RebootDBCluster/, 'Multi-AZ DB clusters, which Aurora does not have'],
  [/CustomDBEngineVersion/, 'RDS Custom'],
  [/ShardGroup/, 'Limitless Database'],
  [/TenantDatabase/, 'tenant databases of Oracle'],
  [/Integration/, 'zero-ETL integrations'],
  [/Recommendation/, 'recommendations'],
  [/ActivityStream/, 'activity streams'],
  [/HttpEndpoint/, 'the Data API'],
  [/ReadReplica/, 'replicas of DB instances outside of Aurora clusters'],
  [/Role(?:To|From)DB/, 'IAM roles of clusters and instances'],
  [/Certificate/, 'certificates'],
  [/PendingMaintenance/, 'maintenance: there is none to apply'],
  [/CurrentDBClusterCapacity|Serverless/, 'Aurora Serverless v1'],
  [/MajorEngineVersions/, 'life cycles of major engine versions'],
  [/ValidDBInstanceModifications/, 'storage of DB instances outside of Aurora clusters'],
];

export function actionTable(): string {
  const names = [...OPERATIONS.keys()].sort();
  const performed = names.filter(name => ACTIONS.has(name));
  return `# Actions

The ${names.length} actions of the RDS API (version ${API_VERSION}, as the AWS SDK has them): ${performed.length} are performed; any
other is answered with \`InvalidAction\` and says nothing else. Made from the code by
\`npx vitest run src/api/action-table.test.ts --update\`; a test holds it current.
What is tried of each, with its faults: [action-faults.md](action-faults.md).

| action | state |
|---|---|
${names.map(name => `| ${name} | ${stateOf(name)} |`).join('\n')}
`;
}

function stateOf(name: string): string {
  if (ACTIONS.has(name)) return REFUSALS.get(name) ?? '**performed**';
  return `\`InvalidAction\`: ${subjectOf(name) ?? ''}`;
}

export function subjectOf(name: string): string | undefined {
  return SUBJECTS.find(([form]) => form.test(name))?.[1];
}
