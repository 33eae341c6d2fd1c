/** Hands the certificate of a cluster to its engines when it was renewed while they run. */
import {errorChain} from '../base/errors.ts';
import type {InstanceProcess} from '../instance/instance-process.ts';
import {kindOf} from './engine-kinds.ts';
import {certificateOf} from './gates.ts';
import {instancesOf} from './instances-of.ts';
import type {ClusterRecord} from './records.ts';
import type {World} from './world.ts';

/** The certificate that each process was given last. */
export class ShownCertificates {
  readonly #shown = new WeakMap<InstanceProcess, string>();

  note(process: InstanceProcess, certificate: string): void {
    this.#shown.set(process, certificate);
  }

  has(process: InstanceProcess, certificate: string): boolean {
    return this.#shown.get(process) === certificate;
  }
}

export async function refreshTls(world: World, cluster: ClusterRecord): Promise<void> {
  if (!kindOf(cluster.engine).hasTls) return;
  const tls = certificateOf(world, cluster).engine;
  for (const instance of instancesOf(world, cluster.identifier)) {
    const process = world.supervisor.serving(instance.identifier);
    if (process === undefined || world.shownCertificates.has(process, tls.certificate)) continue;
    try {
      await process.request('setTls', {tls});
      world.shownCertificates.note(process, tls.certificate);
    } catch (error) {
      // Its old certificate is good for weeks; the next turn tries again.
      world.logger.warn({instance: instance.identifier}, errorChain(error));
    }
  }
}
