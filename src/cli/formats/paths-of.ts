import type { SourceNode } from './format.ts'

/** Nodes that follow each other, and where that began. */
export interface Path {
  /** Oldest first. */
  readonly nodes: readonly SourceNode[]
  /** The node of an earlier path behind which this one begins; undefined for the first nodes of all. */
  readonly after: SourceNode | undefined
}

/**
 * Takes a tree apart: the active path first, whole; then what each branch has for itself, in the order of the
 * file. Every node is in one path, whatever the tree looks like: one whose parent is not there, or that is in
 * a circle, begins a path.
 */
export function pathsOf(nodes: readonly SourceNode[], current: string | undefined): Path[] {
  const tree = new Tree(nodes)
  const paths: Path[] = []
  const active = tree.get(current) ?? tree.lastLeaf()
  if (active === undefined) return paths
  for (const leaf of [active, ...tree.leaves(), ...nodes]) {
    if (tree.isTaken(leaf)) continue
    paths.push(tree.take(leaf))
  }
  return paths
}

class Tree {
  readonly #byKey = new Map<string, SourceNode>()
  readonly #children = new Map<SourceNode, SourceNode[]>()
  readonly #taken = new Set<SourceNode>()
  readonly #nodes: readonly SourceNode[]

  constructor(nodes: readonly SourceNode[]) {
    this.#nodes = nodes
    for (const node of nodes) if (!this.#byKey.has(node.key)) this.#byKey.set(node.key, node)
    for (const node of nodes) {
      const parent = this.get(node.parent)
      if (parent === undefined) continue
      const children = this.#children.get(parent)
      if (children === undefined) this.#children.set(parent, [node])
      else children.push(node)
    }
  }

  get(key: string | undefined): SourceNode | undefined {
    return key === undefined ? undefined : this.#byKey.get(key)
  }

  isTaken(node: SourceNode): boolean {
    return this.#taken.has(node)
  }

  leaves(): readonly SourceNode[] {
    return this.#nodes.filter((node) => !this.#children.has(node))
  }

  /** Where the last node of the file leads to. */
  lastLeaf(): SourceNode | undefined {
    const seen = new Set<SourceNode>()
    let node = this.#nodes.at(-1)
    while (node !== undefined && !seen.has(node)) {
      seen.add(node)
      const next = this.#children.get(node)?.at(-1)
      if (next === undefined) return node
      node = next
    }
    return node
  }

  /** The nodes from the leaf up to one that is taken, to the root, or once around. */
  take(leaf: SourceNode): Path {
    const nodes: SourceNode[] = []
    let node: SourceNode | undefined = leaf
    while (node !== undefined && !this.#taken.has(node)) {
      this.#taken.add(node)
      nodes.push(node)
      node = this.get(node.parent)
    }
    const isOwn = node !== undefined && nodes.includes(node)
    return { nodes: nodes.reverse(), after: isOwn ? undefined : node }
  }
}
