/**
 * Who was cloned from whom, as lines of a tree. A source that was deleted is shown as a gone parent.
 *
 *     orders
 *     ├─ orders-dev
 *     │  └─ orders-test
 *     └─ orders-qa
 *     billing (deleted)
 *     └─ billing-copy
 *
 * Order: by time of creation, oldest first, at every level; a gone parent counts as old as its
 * oldest child. A name may be taken again after a delete: a cluster younger than its "clone" is not
 * its source.
 */
export type TreeItem = {
  readonly identifier: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly clonedFrom: string | null;
};

export type TreeRow<T extends TreeItem> = {
  /** Lines that lead to the name, e.g. `│  └─ `. */
  readonly prefix: string;
  readonly identifier: string;
  /** Null for a source that is deleted. */
  readonly item: T | null;
};

type Node<T extends TreeItem> = {
  readonly identifier: string;
  readonly createdAt: string;
  readonly item: T | null;
  readonly children: Node<T>[];
};

export function treeRows<T extends TreeItem>(items: readonly T[]): TreeRow<T>[] {
  const nodes = new Map<string, Node<T>>();
  for (const item of items) {
    nodes.set(item.identifier, {
      identifier: item.identifier,
      createdAt: item.createdAt,
      item,
      children: [],
    });
  }
  const roots: Node<T>[] = [];
  const gone = new Map<string, Node<T>>();
  for (const node of [...nodes.values()].sort(byAge)) {
    const source = node.item?.clonedFrom ?? null;
    if (source === null) {
      roots.push(node);
    } else if (isSource(nodes.get(source), node)) {
      nodes.get(source)?.children.push(node);
    } else {
      const parent = gone.get(source) ?? goneParent(source, node.createdAt);
      if (!gone.has(source)) roots.push(parent);
      gone.set(source, parent);
      parent.children.push(node);
    }
  }
  return roots.sort(byAge).flatMap(root => rowsOf(root, '', ''));
}

/** Whether the cluster that `item` was cloned from is not there any more. */
export function sourceIsGone(item: TreeItem, items: readonly TreeItem[]): boolean {
  if (item.clonedFrom === null) return false;
  return !isSource(
    items.find(other => other.identifier === item.clonedFrom),
    item,
  );
}

type Aged = {readonly identifier: string; readonly createdAt: string};

function isSource(candidate: Aged | undefined, clone: Aged): boolean {
  return (
    candidate !== undefined &&
    candidate.identifier !== clone.identifier &&
    candidate.createdAt <= clone.createdAt
  );
}

function goneParent<T extends TreeItem>(identifier: string, createdAt: string): Node<T> {
  return {identifier, createdAt, item: null, children: []};
}

function byAge(a: Aged, b: Aged): number {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? -1 : 1;
  return a.identifier < b.identifier ? -1 : 1;
}

function rowsOf<T extends TreeItem>(node: Node<T>, prefix: string, below: string): TreeRow<T>[] {
  const last = node.children.length - 1;
  return [
    {prefix, identifier: node.identifier, item: node.item},
    ...node.children.flatMap((child, index) =>
      index === last
        ? rowsOf(child, `${below}└─ `, `${below}   `)
        : rowsOf(child, `${below}├─ `, `${below}│  `),
    ),
  ];
}
