/**
 * The demo's story, step by step. Every step that takes time says how far it is; every claim is
 * checked against what was read back from the servers.
 *
 *     orders ──clone──▶ orders-clone ──clone──▶ orders-clone-2
 *        ╳ deleted           └──────── both read on ───┘
 */
import {sleep, systemClock} from '../base/clock.ts';
import {assert} from '../base/assert.ts';
import {BorealisError} from '../base/errors.ts';
import {formatBytes, formatCount, formatDuration} from '../cli/format/quantity.ts';
import type {Service} from '../cli/service.ts';
import type {Terminal} from '../cli/terminal.ts';
import type {ClusterReport} from '../cluster/control-plane.ts';
import {
  changePage,
  checkpoint,
  loadBank,
  readBalances,
  readFourPages,
  readHistory,
  type Transaction,
} from './bank.ts';
import type {Clusters} from './clusters.ts';
import {fullCheck} from './full-check.ts';
import {checkLedger} from './ledger.ts';
import type {Proofs} from './proofs.ts';
import type {SqlClient} from './sql-client.ts';
import {Writer} from './writer.ts';

export const SOURCE = 'orders';
export const CLONE = 'orders-clone';
export const SECOND_CLONE = 'orders-clone-2';

const WRITER_SESSIONS = 2;
/** The writer has been at it for a while before the clone call, so that there is something to lose. */
const WRITER_HEAD_START_MS = 1500;

export type Stage = {
  readonly terminal: Terminal;
  readonly service: Service;
  readonly clusters: Clusters;
  readonly proofs: Proofs;
  readonly scale: number;
};

export type CloneTimes = {
  /** Of the RestoreDBClusterToPointInTime call. */
  readonly callMs: number;
  /** From before that call to the answer of the first query through the new endpoint. */
  readonly toFirstQueryMs: number;
  readonly acknowledgedBefore: number;
  readonly acknowledgedMeanwhile: number;
  readonly writerLongestPauseMs: number;
};

export type Pages = {readonly shared: number; readonly owned: number};
export type Side = Pages & {readonly reads: readonly string[]};
/** The source and the clone at one moment. */
export type Sides = {readonly source: Side; readonly clone: Side};

export type SecondClone = {
  readonly toFirstQueryMs: number;
  readonly pagesAtBirth: Pages;
};

export type FourPages = {
  readonly before: Sides;
  readonly afterSourceWrote: Sides;
  readonly afterCloneWrote: Sides;
};

export async function createCluster({terminal, clusters}: Stage): Promise<void> {
  await terminal.step('CreateDBCluster and CreateDBInstance, until available', async () => {
    await clusters.create(SOURCE);
    await clusters.addWriter(SOURCE);
    await clusters.waitUntilAvailable(SOURCE);
  });
}

export async function loadTables({terminal, clusters, scale}: Stage): Promise<void> {
  const name = `load TPC-B tables at scale ${scale}`;
  await terminal.step(name, progress =>
    clusters.query(SOURCE, client =>
      loadBank(client, scale, text => progress.update(`${name}: ${text}`)),
    ),
  );
}

export async function startWriter({terminal, clusters, scale}: Stage): Promise<Writer> {
  const sessions: SqlClient[] = [];
  for (let count = 0; count < WRITER_SESSIONS; count++) {
    sessions.push(await clusters.connect(SOURCE));
  }
  const writer = new Writer(sessions, scale);
  writer.start();
  await terminal.step('start a writer and give it a head start', () => sleep(WRITER_HEAD_START_MS));
  return writer;
}

/** Clones the source while the writer writes, and holds the clone against the ledger. */
export async function cloneUnderWrites(stage: Stage, writer: Writer): Promise<CloneTimes> {
  const {terminal, clusters, proofs} = stage;
  const startMs = systemClock.monotonicMs();
  const acknowledgedBefore = writer.acknowledged.length;
  const expected = writer.acknowledged.map(each => each.transaction);
  let callMs = 0;
  await terminal.step('RestoreDBClusterToPointInTime, copy-on-write', async () => {
    await clusters.clone(SOURCE, CLONE);
    callMs = systemClock.monotonicMs() - startMs;
  });
  const client = await terminal.step('CreateDBInstance, until the first query', async () => {
    await clusters.addWriter(CLONE);
    await clusters.waitUntilAvailable(CLONE);
    const connection = await clusters.connect(CLONE);
    await connection.query('SELECT 1');
    return connection;
  });
  const endMs = systemClock.monotonicMs();
  const issued = [...writer.issued];
  const times = {
    callMs,
    toFirstQueryMs: endMs - startMs,
    acknowledgedBefore,
    acknowledgedMeanwhile: writer.acknowledged.length - acknowledgedBefore,
    writerLongestPauseMs: writer.longestPauseMs(startMs, endMs),
  };
  proofs.add(
    'the source goes on serving while it is cloned',
    times.acknowledgedMeanwhile > 0,
    `${formatCount(times.acknowledgedMeanwhile)} transactions acknowledged meanwhile, longest pause ${formatDuration(times.writerLongestPauseMs)}`,
  );
  await terminal.step('read the clone back and compare it with the ledger', async () => {
    await proveLedger(stage, client, expected, issued);
  });
  await clusters.disconnect(client);
  return times;
}

async function proveLedger(
  {proofs}: Stage,
  client: SqlClient,
  expected: readonly Transaction[],
  issued: readonly Transaction[],
): Promise<void> {
  const {lost, foreign, underway} = checkLedger(expected, issued, await readHistory(client));
  proofs.add(
    'every transaction acknowledged before the clone call is in the clone',
    expected.length > 0 && lost.length === 0,
    lost.length === 0
      ? `all ${formatCount(expected.length)}, and ${formatCount(underway)} that were under way`
      : `${lost.length} of ${expected.length} are lost, the first is entry ${lost[0]}`,
  );
  proofs.add(
    'nothing is in the clone that was not sent by then',
    foreign.length === 0,
    foreign.length === 0 ? 'no foreign entry' : `${foreign.length} foreign, e.g. ${foreign[0]}`,
  );
  const sums = await readBalances(client);
  const equal =
    sums.accounts === sums.history &&
    sums.tellers === sums.history &&
    sums.branches === sums.history;
  proofs.add(
    'the clone is one moment of the source',
    equal && sums.mismatches === '0',
    `accounts ${sums.accounts}, tellers ${sums.tellers}, branches ${sums.branches}, history ${sums.history}; ${sums.mismatches} balances off`,
  );
}

/** The writer has stopped: what it was promised is all there, and the clone has nothing of the rest. */
export async function finishWriter(stage: Stage, writer: Writer): Promise<void> {
  const {terminal, clusters, proofs} = stage;
  await terminal.step('stop the writer and read the source back', async () => {
    const before = await clusters.query(CLONE, readHistory);
    await writer.stop();
    const all = writer.acknowledged.map(each => each.transaction);
    const inSource = await clusters.query(SOURCE, readHistory);
    const {lost, foreign} = checkLedger(all, writer.issued, inSource);
    proofs.add(
      'the source has every transaction that it ever acknowledged',
      lost.length === 0 && foreign.length === 0,
      `${formatCount(all.length)} acknowledged, ${lost.length} lost, ${foreign.length} foreign`,
    );
    const after = await clusters.query(CLONE, readHistory);
    proofs.add(
      'what the source wrote after the clone stays on its side',
      after.length === before.length && after.length < inSource.length,
      `history has ${formatCount(inSource.length)} entries in the source, ${formatCount(after.length)} in the clone`,
    );
  });
}

/** The source writes Page 1, the clone writes Page 4; neither sees the other's. */
export async function writeFourPages(stage: Stage): Promise<FourPages> {
  const {terminal, clusters, proofs} = stage;
  return terminal.step('write Page 1 in the source and Page 4 in the clone', async () => {
    // What the engines still hold in memory belongs to what came before.
    await clusters.query(SOURCE, checkpoint);
    await clusters.query(CLONE, checkpoint);
    const before = await sidesNow(stage);
    await clusters.query(SOURCE, client => changePage(client, 1));
    const afterSourceWrote = await sidesNow(stage);
    await clusters.query(CLONE, client => changePage(client, 4));
    const afterCloneWrote = await sidesNow(stage);
    await proveFourPages(stage, SOURCE, [1]);
    await proveFourPages(stage, CLONE, [4]);
    const grew =
      afterSourceWrote.source.owned > before.source.owned &&
      afterCloneWrote.clone.owned > afterSourceWrote.clone.owned;
    proofs.add(
      'a side that writes owns what it wrote and goes on sharing the rest',
      grew && afterCloneWrote.clone.shared > 0 && afterCloneWrote.source.shared > 0,
      `the clone shares ${formatCount(afterCloneWrote.clone.shared)} pages and owns ${formatCount(afterCloneWrote.clone.owned)}`,
    );
    return {before, afterSourceWrote, afterCloneWrote};
  });
}

async function proveFourPages(
  {clusters, proofs}: Stage,
  cluster: string,
  changed: readonly number[],
): Promise<void> {
  const rows = await clusters.query(cluster, readFourPages);
  const reads = rows.map(row => row.content);
  const wanted = [1, 2, 3, 4].map(page => `Page ${page}${changed.includes(page) ? "'" : ''}`);
  const inPlace = rows.every(row => row.block === null || Number(row.block) === row.page - 1);
  proofs.add(
    `${cluster} sees its own change and no other`,
    reads.join() === wanted.join() && inPlace,
    `reads ${reads.join(', ')}${inPlace ? '' : ', not one to a block'}`,
  );
}

/** A clone of the clone has what the clone has, and is apart from it. */
export async function cloneTheClone(stage: Stage): Promise<SecondClone> {
  const {terminal, clusters, proofs} = stage;
  const startMs = systemClock.monotonicMs();
  await terminal.step('clone the clone', () => clusters.clone(CLONE, SECOND_CLONE));
  const callMs = systemClock.monotonicMs() - startMs;
  const pagesAtBirth = await pagesOf(stage, SECOND_CLONE, {fresh: false});
  proofs.add(
    'a clone is born owning nothing',
    pagesAtBirth.owned === 0 && pagesAtBirth.shared > 0,
    `${SECOND_CLONE} shares ${formatCount(pagesAtBirth.shared)} pages and owns ${formatCount(pagesAtBirth.owned)} before its engine starts`,
  );
  const writerMs = systemClock.monotonicMs();
  await terminal.step('add its writer, until the first query', async () => {
    await clusters.addWriter(SECOND_CLONE);
    await clusters.waitUntilAvailable(SECOND_CLONE);
    await clusters.query(SECOND_CLONE, client => client.query('SELECT 1'));
  });
  const toFirstQueryMs = callMs + systemClock.monotonicMs() - writerMs;
  await terminal.step('compare it with the clone, and write Page 2 in it', async () => {
    const clone = await clusters.query(CLONE, readHistory);
    const second = await clusters.query(SECOND_CLONE, readHistory);
    const {lost, foreign} = checkLedger(clone, clone, second);
    proofs.add(
      'a clone of the clone has exactly what the clone has',
      lost.length === 0 && foreign.length === 0 && clone.length > 0,
      `${formatCount(second.length)} history entries, ${lost.length} lost, ${foreign.length} foreign`,
    );
    await clusters.query(SECOND_CLONE, client => changePage(client, 2));
    await proveFourPages(stage, SECOND_CLONE, [2, 4]);
    await proveFourPages(stage, CLONE, [4]);
  });
  return {toFirstQueryMs, pagesAtBirth};
}

export async function deleteSource(stage: Stage): Promise<void> {
  const {terminal, clusters, proofs, service} = stage;
  await terminal.step(`delete ${SOURCE}, the source`, () => clusters.delete(SOURCE));
  const {clusters: left} = await service.reports();
  proofs.add(
    'the source is gone',
    left.every(cluster => cluster.identifier !== SOURCE),
    `left: ${left.map(cluster => cluster.identifier).join(', ')}`,
  );
}

/** After the source went, `cluster` still reads as before and passes a check of every page. */
export async function checkSurvivor(
  stage: Stage,
  cluster: string,
  changed: readonly number[],
): Promise<void> {
  const {terminal, clusters, proofs} = stage;
  const name = `check every table and index of ${cluster}`;
  await terminal.step(name, async progress => {
    await proveFourPages(stage, cluster, changed);
    await clusters.query(cluster, async client => {
      const sums = await readBalances(client);
      const {tool, tables, indexes, faults} = await fullCheck(client, text =>
        progress.update(`${name}: ${text}`),
      );
      proofs.add(
        `${cluster} reads on without its source and passes ${tool}`,
        faults.length === 0 && sums.mismatches === '0' && sums.accounts === sums.history,
        faults.length === 0
          ? `${indexes} indexes with an entry for every row and ${tables} tables without a fault, balances exact`
          : `${faults.length} faults, the first: ${faults[0]}`,
      );
    });
  });
}

/** Copied pages are counted, not assumed. */
export function proveNothingCopied({proofs}: Stage, report: ClusterReport): void {
  proofs.add(
    'no page was copied at the birth of the clone',
    report.bytesCopiedAtBirth === 0,
    `${formatBytes(report.bytesCopiedAtBirth)} copied`,
  );
}

async function sidesNow(stage: Stage): Promise<Sides> {
  return {source: await sideNow(stage, SOURCE), clone: await sideNow(stage, CLONE)};
}

async function sideNow(stage: Stage, cluster: string): Promise<Side> {
  const rows = await stage.clusters.query(cluster, readFourPages);
  const pages = await pagesOf(stage, cluster, {fresh: true});
  return {...pages, reads: rows.map(row => row.content)};
}

/** `fresh`: exact as of now, for which a running writer makes a checkpoint of its volume. */
async function pagesOf(
  {service}: Stage,
  cluster: string,
  options: {readonly fresh: boolean},
): Promise<Pages> {
  const {usage} = await service.report(cluster, options);
  if (usage === null) {
    throw new BorealisError(
      'internal',
      'demo-failed',
      `The service tells no page numbers of ${cluster}`,
    );
  }
  assert(usage.logicalPages === usage.sharedPages + usage.ownedPages, 'a page is shared or owned');
  return {shared: usage.sharedPages, owned: usage.ownedPages};
}
