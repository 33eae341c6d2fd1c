/** CreateDBCluster: a cluster whose volume begins as a clone of the engine's golden volume. */
import type {CreateDBClusterMessage, CreateDBClusterResult} from '@aws-sdk/client-rds';
import {parseEngine, resolveEngineVersion} from '../engine-versions.ts';
import {newResourceId, parseIdentifier} from '../identifiers.ts';
import {parseDatabaseName, parseMasterUserPassword, parseMasterUsername} from '../master-user.ts';
import {CLUSTER_REFUSALS, refuseMembers} from '../members.ts';
import {
  listenForNew,
  recordNewCluster,
  refuseTakenCluster,
  refuseWithoutSpace,
} from '../new-cluster.ts';
import {defaultGroupName} from '../parameter-groups.ts';
import {defaultWindows, parseSettings} from '../settings.ts';
import {settingsRules} from '../settings-rules.ts';
import {DEFAULT_SUBNET_GROUP} from '../subnet-groups.ts';
import {clusterShape} from '../shapes.ts';
import type {ClusterSettings} from '../records.ts';
import type {World} from '../world.ts';

export async function createDBCluster(
  world: World,
  input: CreateDBClusterMessage,
): Promise<CreateDBClusterResult> {
  const identifier = parseIdentifier('DBClusterIdentifier', input.DBClusterIdentifier);
  parseEngine(input.Engine);
  const offer = resolveEngineVersion(world.offers, input.EngineVersion);
  refuseMembers(input, CLUSTER_REFUSALS);
  const username = parseMasterUsername(input.MasterUsername);
  const password = parseMasterUserPassword(input.MasterUserPassword);
  const databaseName = parseDatabaseName(input.DatabaseName);
  const settings = parseSettings(
    input,
    defaultSettings(offer.engineVersion, defaultWindows(input)),
    settingsRules(world, offer.engineVersion),
  );
  refuseTakenCluster(world, identifier);
  refuseWithoutSpace(world);
  const verifier = world.scramVerifier(password);
  const endpoint = await listenForNew(world, input.Port);
  const resourceId = newResourceId('cluster');
  const cluster = await recordNewCluster(world, endpoint, () => ({
    identifier,
    resourceId,
    cloneGroupId: resourceId.replace('cluster-', 'clone-group-').toLowerCase(),
    status: 'creating',
    statusReason: null,
    createdAtMs: world.clock.nowMs(),
    engineVersion: offer.engineVersion,
    runtime: offer.runtime,
    serverVersion: null,
    origin: {kind: 'golden'},
    volume: null,
    volumeReady: false,
    firstStart: true,
    master: {name: username, verifier},
    masterRevision: 1,
    masterApplied: 0,
    databaseName,
    databaseMade: databaseName === null || databaseName === 'postgres',
    port: endpoint.port,
    cloneSteps: [],
    bytesCopiedAtBirth: 0,
    settings,
    pending: null,
  }));
  world.supervisor.reroute(identifier);
  world.reconciler.enqueue(`cluster/${identifier}`);
  return {DBCluster: clusterShape(world, cluster)};
}

function defaultSettings(
  engineVersion: string,
  windows: ReturnType<typeof defaultWindows>,
): ClusterSettings {
  return {
    backupRetentionDays: 1,
    preferredBackupWindow: windows.backup,
    preferredMaintenanceWindow: windows.maintenance,
    parameterGroupName: defaultGroupName(engineVersion),
    subnetGroupName: DEFAULT_SUBNET_GROUP,
    vpcSecurityGroupIds: [],
    copyTagsToSnapshot: false,
    backtrackWindowSeconds: 0,
    autoMinorVersionUpgrade: true,
    deletionProtection: false,
    iamAuthentication: false,
    tags: [],
  };
}
