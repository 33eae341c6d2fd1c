/**
 * Who owns a file, as the volume stores it and as the kernel is told. Stored, the engine's user is
 * always 0, so that a volume does not depend on which unprivileged user runs the engine on this
 * machine. The map swaps 0 with that user, both ways, so it is its own inverse:
 *
 *     swapId(0, 26) = 26      swapId(26, 26) = 0      swapId(1000, 26) = 1000
 */
export type OwnerMap = {readonly engineUid: number; readonly engineGid: number};

/** Changes nothing: where a user namespace already makes the engine's user 0. */
export const IDENTITY_OWNER_MAP: OwnerMap = {engineUid: 0, engineGid: 0};

export function swapId(id: number, engineId: number): number {
  if (id === 0) return engineId;
  return id === engineId ? 0 : id;
}
