/**
 * The processes of a running cluster, found in /proc by the port that its server listens on:
 *
 *     service ─▶ unshare ─▶ instance ─▶ (unshare) ─▶ server ─▶ backends
 */
import {execFile} from 'node:child_process';
import {readdirSync, readFileSync, readlinkSync} from 'node:fs';
import {promisify} from 'node:util';
import {BorealisError, systemErrorCode} from '../src/base/errors.ts';

export type ClusterProcesses = {
  /** It serves the volume: process 1 of its PID namespace. */
  readonly instance: number;
  readonly server: number;
  /** None with MariaDB, whose sessions are threads. */
  readonly backends: readonly number[];
};

const LISTENING = '0A';

/** Ids as this process sees them. @throws not-found while the server does not listen. */
export function findProcesses(port: number): ClusterProcesses {
  const sockets = listeningSockets(port);
  const processes = listProcesses();
  const server = processes.find(
    ({pid, name}) =>
      /^(?:postgres|mariadbd)$/.test(name) && openSockets(pid).some(socket => sockets.has(socket)),
  );
  let instance = server;
  while (instance !== undefined && !/^(?:node|MainThread|borealis)/.test(instance.name)) {
    const {parent} = instance;
    instance = processes.find(({pid}) => pid === parent);
  }
  if (server === undefined || instance === undefined) {
    throw new BorealisError('not-found', 'no-server', `no server listens on port ${port}`);
  }
  const backends = processes.filter(({parent}) => parent === server.pid).map(({pid}) => pid);
  return {instance: instance.pid, server: server.pid, backends};
}

/** A process that has ended and was not waited for yet does not count. */
export function isRunning(pid: number): boolean {
  const stat = unlessGone(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  return stat !== null && !/^\d+ \(.*\) [ZX]/s.test(stat);
}

/** Takes the volume's mount away from under its server, by force, as an operator's mistake would. */
export async function unmountVolume(instance: number): Promise<void> {
  const mounts = readFileSync(`/proc/${instance}/mountinfo`, 'utf8').split('\n');
  const directory = mounts
    .find(line => / - fuse borealis /.test(line))
    ?.split(' ')
    .at(4);
  if (directory === undefined) {
    throw new BorealisError('not-found', 'no-mount', `process ${instance} has no volume mounted`);
  }
  const enter = ['--target', String(instance), '--mount', '--'];
  await promisify(execFile)('nsenter', [...enter, 'umount', '-i', '-f', '-l', directory]);
}

function listeningSockets(port: number): Set<string> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const found = new Set<string>();
  for (const line of readFileSync('/proc/net/tcp', 'latin1').split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    if (fields[1]?.endsWith(`:${hex}`) === true && fields[3] === LISTENING) {
      found.add(`socket:[${fields[9] ?? ''}]`);
    }
  }
  return found;
}

type Process = {readonly pid: number; readonly parent: number; readonly name: string};

function listProcesses(): Process[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(name => {
      const stat = unlessGone(() => readFileSync(`/proc/${name}/stat`, 'latin1'));
      const match = /^\d+ \((.*)\) \S (\d+)/s.exec(stat ?? '');
      if (match === null) return [];
      return [{pid: Number(name), parent: Number(match[2]), name: match[1] ?? ''}];
    });
}

function openSockets(pid: number): string[] {
  const descriptors = unlessGone(() => readdirSync(`/proc/${pid}/fd`)) ?? [];
  return descriptors.flatMap(descriptor => {
    return unlessGone(() => readlinkSync(`/proc/${pid}/fd/${descriptor}`)) ?? [];
  });
}

/** Null for a process or descriptor that went meanwhile. */
function unlessGone<T>(look: () => T): T | null {
  try {
    return look();
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
}
