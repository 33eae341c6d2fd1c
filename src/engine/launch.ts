/**
 * Runs a program as the engine's user: no server runs as uid 0.
 *
 * Whoever made the namespace says how: as root the uid is simply another; in a user namespace, where
 * we are its root, it takes a nested one. `owner` is that user as *this* process sees it in the file
 * system, which is not the same number in a nested user namespace.
 */
import {readFile} from 'node:fs/promises';

export type EngineUser = {
  readonly owner: {readonly uid: number; readonly gid: number};
  /** `['postgres', '-D', …]` → what to spawn. */
  command(argv: readonly string[]): LaunchCommand;
};

export type LaunchCommand = {
  readonly file: string;
  readonly args: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
};

/** The engine's user where this process is the machine's root: `name` if there is such a user, else `nobody`. */
export async function unprivilegedUser(name: string): Promise<EngineUser> {
  const owner = parseUser(await readFile('/etc/passwd', 'utf8'), name);
  return {owner, command: ([file = '', ...args]) => ({file, args, ...owner})};
}

/** The engine's user where this process is an ordinary user's: the same. */
export function ownUser(): EngineUser {
  const owner = {uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0};
  return {owner, command: ([file = '', ...args]) => ({file, args})};
}

/** `nobody`'s numbers on every Linux; initdb wants a user that /etc/passwd names. */
const NOBODY = {uid: 65_534, gid: 65_534};

/** The uid and gid of `wanted` or else `nobody` in the text of /etc/passwd. */
export function parseUser(
  passwd: string,
  wanted: string,
): {readonly uid: number; readonly gid: number} {
  for (const name of [wanted, 'nobody']) {
    const match = new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, 'm').exec(passwd);
    if (match !== null && match[1] !== '0') return {uid: Number(match[1]), gid: Number(match[2])};
  }
  return NOBODY;
}
