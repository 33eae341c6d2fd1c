/**
 * The namespaces of an instance process: its mounts and processes are its own and end with it.
 *
 *     root           unshare --mount --pid …  ─▶ instance (uid 0) ─▶ engine (setuid to an ordinary user)
 *     ordinary user  unshare --user --map-root-user --mount --pid …
 *                                             ─▶ instance (0 inside, the user outside)
 *                                                 ─▶ unshare --user --map-user=UID ─▶ engine
 *
 * The instance is process 1 of its PID namespace: when it ends, the kernel kills all that it started.
 * `--kill-child` ends it with its unshare. A mount lives as long as the mount namespace.
 */

export type NamespaceOptions = {
  /** With real privileges: no user namespace is needed. */
  readonly asRoot: boolean;
};

/** The command line that runs `argv` as an instance process. */
export function namespaceCommand(argv: readonly string[], {asRoot}: NamespaceOptions): string[] {
  const user = asRoot ? [] : ['--user', '--map-root-user'];
  // Disks that are mounted later appear inside, where the host shares its mounts; ours stay inside.
  const mounts = ['--mount', '--propagation', 'slave'];
  return ['unshare', ...user, ...mounts, '--pid', '--fork', '--kill-child', '--', ...argv];
}

/** How to start a program in an instance's namespaces without privileges. */
export type EngineCommand = {
  readonly argv: readonly string[];
  /** For `spawn`; empty where a nested user namespace does it. */
  readonly owner: {readonly uid?: number; readonly gid?: number};
};

/**
 * `user` is who the engine believes to be: not 0, which PostgreSQL refuses, and with an entry in the
 * password file, where initdb looks itself up. As root, an unprivileged user of the machine; in a user
 * namespace the name is all there is to it, and the service's own user will do.
 */
export function engineCommand(
  argv: readonly string[],
  {asRoot, user}: NamespaceOptions & {readonly user: {readonly uid: number; readonly gid: number}},
): EngineCommand {
  if (asRoot) return {argv, owner: {uid: user.uid, gid: user.gid}};
  const map = [`--map-user=${user.uid}`, `--map-group=${user.gid}`];
  return {argv: ['unshare', '--user', ...map, '--', ...argv], owner: {}};
}
