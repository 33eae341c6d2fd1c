/**
 * How the endpoints of a cluster deal with what clients say first, and who is let in by a token.
 *
 *     cluster endpoint   passes bytes; inspects them once IAM database authentication is enabled
 *     reader, custom     inspect: a cancel request has to find the one engine of several
 *
 * Those of an engine without TLS have no gate.
 */
import type {Gate, TokenGate} from '../endpoint/gate.ts';
import type {InstanceProcess} from '../instance/instance-process.ts';
import type {ClusterCertificate} from './certificates.ts';
import {customEndpointsOf} from './endpoint-set.ts';
import {kindOf} from './engine-kinds.ts';
import {instancesOf} from './instances-of.ts';
import type {ClusterRecord, InstanceRecord} from './records.ts';
import type {World} from './world.ts';

/** What a token must be for. */
export type TokenScope = {
  readonly user: string;
  /** Host names and addresses of the cluster's endpoints. */
  readonly hosts: readonly string[];
  readonly port: number;
};

export type GateWorld = Pick<World, 'catalog' | 'certificates' | 'tokenRefusal' | 'logger'>;
/** The process of an instance that serves. */
export type ServingProcess = (instance: InstanceRecord) => InstanceProcess | undefined;

export function certificateOf(
  world: Pick<World, 'catalog' | 'certificates'>,
  cluster: ClusterRecord,
): ClusterCertificate {
  return world.certificates.of(cluster, customEndpointsOf(world, cluster.identifier));
}

export function gatesOf(
  world: GateWorld,
  cluster: ClusterRecord,
  serving: ServingProcess,
): {readonly cluster: Gate | null; readonly shared: Gate | null} {
  if (!kindOf(cluster.engine).hasTls) return {cluster: null, shared: null};
  const {context: certificate} = certificateOf(world, cluster);
  const tokens = cluster.settings.iamAuthentication ? tokenGate(world, cluster, serving) : null;
  const shared = {
    mode: 'inspect',
    certificate,
    authority: world.certificates.authority,
    tokens,
  } as const;
  return {shared, cluster: {...shared, mode: tokens === null ? 'pass' : 'inspect'}};
}

function tokenGate(
  world: GateWorld,
  {identifier, port}: ClusterRecord,
  serving: ServingProcess,
): TokenGate {
  return {
    isTokenUser: async (enginePort, user) => {
      const instance = instancesOf(world, identifier).find(each => each.port === enginePort);
      const process = instance === undefined ? undefined : serving(instance);
      const answer = await process?.request('isTokenUser', {user});
      return answer?.isTokenUser === true;
    },
    refusal: (token, user) => {
      const cluster = world.catalog.clusters.get(identifier);
      const hosts = cluster === undefined ? [] : certificateOf(world, cluster).names;
      const reason = world.tokenRefusal(token, {user, hosts, port});
      // The reason repeats nothing of the token.
      if (reason !== null)
        world.logger.warn({cluster: identifier, user, reason}, 'a token was refused');
      return reason;
    },
    credential: user => world.certificates.session(user),
  };
}
