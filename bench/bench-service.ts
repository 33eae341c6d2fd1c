/** A service of its own for a benchmark: `borealis up` on a temporary directory. */
import {sleep} from '../src/base/clock.ts';
import type {ClusterReport} from '../src/cluster/control-plane.ts';
import type {Service} from '../src/cli/service.ts';
import {Clusters} from '../src/demo/clusters.ts';
import {ServiceProcess} from '../src/demo/service-process.ts';
import type {EngineName} from '../src/engine/engine.ts';
import type {Target} from './pgbench.ts';

const PASSWORD = 'bench-password';
/** A count of what is on disk. */
const FIRST_QUERIES: Readonly<Record<EngineName, string>> = {
  'aurora-postgresql': 'SELECT count(*) FROM pg_class',
  'aurora-mysql': 'SELECT count(*) FROM mysql.help_topic',
};
const INSTANCE_POLL_MS = 10;
const INSTANCE_WAIT_MS_MAX = 120_000;

export type Made = {
  /** At the cluster endpoint. */
  readonly target: Target;
  /** At the writer's instance endpoint. */
  readonly writer: Target;
  /** Of the call that made the cluster: CreateDBCluster or RestoreDBClusterToPointInTime. */
  readonly callMs: number;
  /** From that call to the answer of the first query through the cluster endpoint. */
  readonly firstQueryMs: number;
};

export class BenchService {
  readonly service: Service;
  readonly #process: ServiceProcess;
  readonly #clusters: Clusters;
  readonly #engine: EngineName;

  private constructor(process: ServiceProcess, service: Service, engine: EngineName) {
    this.#process = process;
    this.service = service;
    this.#engine = engine;
    this.#clusters = new Clusters(service, PASSWORD, engine);
  }

  static async start(
    postgresBin: string | null,
    engine: EngineName = 'aurora-postgresql',
  ): Promise<BenchService> {
    const process = await ServiceProcess.create({
      engineRuntime: 'native',
      postgresBin: postgresBin ?? undefined,
    });
    return new BenchService(process, await process.ready(), engine);
  }

  create(name: string): Promise<Made> {
    return this.#make(name, () => this.#clusters.create(name));
  }

  clone(source: string, name: string): Promise<Made> {
    return this.#make(name, () => this.#clusters.clone(source, name));
  }

  /** Adds a DB instance, a reader, and waits until it serves. Returns the milliseconds it took. */
  async addReader(cluster: string, name: string): Promise<number> {
    const start = performance.now();
    await this.service.call(rds =>
      rds.createDBInstance({
        DBInstanceIdentifier: name,
        DBClusterIdentifier: cluster,
        DBInstanceClass: 'db.t4g.medium',
        Engine: this.#engine,
      }),
    );
    await this.untilAllAvailable(cluster);
    return performance.now() - start;
  }

  async untilAllAvailable(cluster: string): Promise<ClusterReport> {
    for (let waitedMs = 0; waitedMs < INSTANCE_WAIT_MS_MAX; waitedMs += INSTANCE_POLL_MS) {
      const report = await this.service.report(cluster);
      if (report.instances.every(instance => instance.status === 'available')) return report;
      await sleep(INSTANCE_POLL_MS);
    }
    throw new Error(`not every instance of ${cluster} became available`);
  }

  delete(name: string): Promise<void> {
    return this.#clusters.delete(name);
  }

  report(name: string): Promise<ClusterReport> {
    return this.service.report(name, {fresh: true});
  }

  async stop(): Promise<void> {
    await this.#clusters.close();
    this.service.close();
    const left = await this.#process.remove();
    if (left.processes !== null && left.processes.length > 0) {
      throw new Error(`the service left processes behind: ${left.processes.join('; ')}`);
    }
  }

  async #make(name: string, call: () => Promise<void>): Promise<Made> {
    const start = performance.now();
    await call();
    const callMs = performance.now() - start;
    await this.#clusters.addWriter(name);
    // As a client does that knows the endpoint: it connects at once, and is held until the writer serves.
    await this.#clusters.query(name, async client => {
      await client.query(FIRST_QUERIES[this.#engine]);
    });
    const firstQueryMs = performance.now() - start;
    await this.#clusters.waitUntilAvailable(name);
    const {endpoint, port, masterUsername, instances} = await this.service.report(name);
    const target: Target = {
      host: endpoint,
      port,
      user: masterUsername,
      password: PASSWORD,
      database: 'postgres',
    };
    const writer = {...target, port: instances[0]?.port ?? port};
    return {target, writer, callMs, firstQueryMs};
  }
}
