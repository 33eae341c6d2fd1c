/** Makes the calls of a fleet's model on a real control plane, and shows what is there. */
import {BorealisError} from '../../base/errors.ts';
import type {Fleet, FleetCall} from './fleet-model.ts';
import {ask} from './line-client.ts';
import {clone, createCluster, createInstance, settle, type TestService} from './test-service.ts';

const KEY = 'mark';

/** Makes `call` and waits until it has come to rest. The code of its fault, or null. */
export async function makeCall(service: TestService, call: FleetCall): Promise<string | null> {
  try {
    await request(service, call);
  } catch (error) {
    if (error instanceof BorealisError) return error.code;
    throw error;
  }
  await settle(service);
  return null;
}

async function request(service: TestService, call: FleetCall): Promise<unknown> {
  const {plane} = service;
  switch (call.kind) {
    case 'createCluster':
      return await createCluster(service, call.cluster);
    case 'clone':
      return await clone(service, call.cluster, call.to);
    case 'createInstance':
      return await createInstance(service, call.cluster, call.instance);
    case 'deleteInstance':
      return await plane.deleteDBInstance({DBInstanceIdentifier: call.instance});
    case 'reboot':
      return await plane.rebootDBInstance({DBInstanceIdentifier: call.instance});
    case 'renameInstance':
      return await plane.modifyDBInstance({
        DBInstanceIdentifier: call.instance,
        NewDBInstanceIdentifier: call.to,
        ApplyImmediately: true,
      });
    case 'createEndpoint':
      return await plane.createDBClusterEndpoint({
        DBClusterIdentifier: call.cluster,
        DBClusterEndpointIdentifier: call.endpoint,
        EndpointType: 'ANY',
      });
    case 'deleteEndpoint':
      return await plane.deleteDBClusterEndpoint({DBClusterEndpointIdentifier: call.endpoint});
    default:
      return await requestOfCluster(service, call);
  }
}

type ClusterCall = Exclude<FleetCall, {readonly instance: string} | {readonly endpoint: string}>;

async function requestOfCluster(service: TestService, call: ClusterCall): Promise<unknown> {
  const {plane} = service;
  const cluster = {DBClusterIdentifier: call.cluster};
  switch (call.kind) {
    case 'deleteCluster':
      return await plane.deleteDBCluster({...cluster, SkipFinalSnapshot: true});
    case 'stop':
      return await plane.stopDBCluster(cluster);
    case 'start':
      return await plane.startDBCluster(cluster);
    case 'failover':
      return await plane.failoverDBCluster(cluster);
    case 'protect':
      return await plane.modifyDBCluster({...cluster, DeletionProtection: call.on});
    case 'renameCluster':
      return await plane.modifyDBCluster({
        ...cluster,
        NewDBClusterIdentifier: call.to,
        ApplyImmediately: true,
      });
    case 'tag':
      return await plane.addTagsToResource({
        ResourceName: `arn:aws:rds:local-1:${service.catalog.identity.accountId}:cluster:${call.cluster}`,
        Tags: [{Key: KEY, Value: call.value}],
      });
    case 'put':
      return await put(service, call.cluster, call.word);
    default:
      throw new Error(`there is no call ${call.kind}`);
  }
}

/** Writes a word as a client does, through the cluster endpoint. */
async function put(service: TestService, name: string, word: string): Promise<void> {
  const cluster = service.catalog.clusters.get(name);
  if (cluster === undefined) throw refusal('DBClusterNotFoundFault');
  if (cluster.status === 'stopped') throw refusal('InvalidDBClusterStateFault');
  const members = service.catalog.instances.list();
  if (members.every(each => each.clusterIdentifier !== name)) throw refusal('no-instance');
  const answer = await ask(cluster.port, `put ${word}`);
  if (answer !== 'ok') throw new Error(`put was answered by ${answer}`);
}

/** A client has no connection to try: the words of the model for that. */
function refusal(code: string): BorealisError {
  return new BorealisError('conflict', code, 'nothing serves there');
}

export function showFleet({catalog, storage}: TestService): Fleet {
  return {
    clusters: Object.fromEntries(
      catalog.clusters.list().map(({identifier, status, volume, settings}) => [
        identifier,
        {
          words: storage.read(volume ?? 0).join(' '),
          stopped: status === 'stopped',
          isProtected: settings.deletionProtection,
          tag: settings.tags.find(({Key}) => Key === KEY)?.Value ?? null,
        },
      ]),
    ),
    instances: Object.fromEntries(
      catalog.instances.list().map(each => [each.identifier, each.clusterIdentifier]),
    ),
    endpoints: Object.fromEntries(
      catalog.clusterEndpoints.list().map(each => [each.identifier, each.clusterIdentifier]),
    ),
  };
}
