/** CreateDBCluster: a cluster whose volume begins as a clone of the engine's golden volume. */
import type {CreateDBClusterMessage, CreateDBClusterResult} from '@aws-sdk/client-rds';
import {kindOf, parseEngine, refuseWithoutTls} from '../engine-kinds.ts';
import {resolveEngineVersion, type EngineOffer} from '../engine-versions.ts';
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
import {parseSettings} from '../settings.ts';
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
  const engine = parseEngine(input.Engine);
  const offer = resolveEngineVersion(world.offers, engine, input.EngineVersion);
  refuseMembers(input, CLUSTER_REFUSALS);
  refuseWithoutTls(engine, input);
  const username = parseMasterUsername(engine, input.MasterUsername);
  const password = parseMasterUserPassword(engine, input.MasterUserPassword);
  const databaseName = parseDatabaseName(engine, input.DatabaseName);
  const settings = parseSettings(input, defaultSettings(offer), settingsRules(world, offer));
  refuseTakenCluster(world, identifier);
  refuseWithoutSpace(world);
  const verifier = world.passwordVerifier(engine, password);
  const endpoint = await listenForNew(world, input.Port);
  const resourceId = newResourceId('cluster');
  const cluster = await recordNewCluster(world, endpoint, () => ({
    identifier,
    resourceId,
    cloneGroupId: resourceId.replace('cluster-', 'clone-group-').toLowerCase(),
    status: 'creating',
    statusReason: null,
    createdAtMs: world.clock.nowMs(),
    engine,
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
    databaseMade: databaseName === null || kindOf(engine).standingDatabases.includes(databaseName),
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

function defaultSettings(offer: EngineOffer): ClusterSettings {
  return {
    backupRetentionDays: 1,
    preferredBackupWindow: '03:00-03:30',
    preferredMaintenanceWindow: 'sun:04:00-sun:04:30',
    parameterGroupName: defaultGroupName(offer),
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
