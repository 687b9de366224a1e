import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { SourceNode } from './format.ts'
import { pathsOf } from './paths-of.ts'

/** `b<a` is a node `b` whose parent is `a`. */
function tree(...nodes: readonly string[]): SourceNode[] {
  return nodes.map((node) => {
    const [key, parent] = node.split('<') as [string, string?]
    return { key, parent, raw: {} }
  })
}

function shown(nodes: readonly SourceNode[], current?: string): string[] {
  return pathsOf(nodes, current).map(({ nodes: path, after }) => {
    return `${after === undefined ? '' : `${after.key}: `}${path.map(({ key }) => key).join(' ')}`
  })
}

const BRANCHED = tree('a', 'b<a', 'c<b', 'd<b', 'e<d', 'f<d', 'g<a')

test('the active path comes first and whole, then what each branch has for itself', () => {
  expect(shown(BRANCHED, 'e')).toEqual(['a b d e', 'b: c', 'd: f', 'a: g'])
})

test('without a known end the last node of the file says which path is active', () => {
  expect(shown(BRANCHED)).toEqual(['a g', 'a: b c', 'b: d e', 'd: f'])
  expect(shown(BRANCHED, 'nowhere')).toEqual(shown(BRANCHED))
})

test('what follows the end of the active path is a branch', () => {
  expect(shown(tree('a', 'b<a', 'c<b'), 'b')).toEqual(['a b', 'b: c'])
})

test('several beginnings are paths of their own', () => {
  expect(shown(tree('a', 'b<a', 'x', 'y<x'), 'b')).toEqual(['a b', 'x y'])
})

test('a parent that is not there, a circle and a name twice lose no node', () => {
  expect(shown(tree('a<gone', 'b<a'))).toEqual(['a b'])
  expect(shown(tree('a<c', 'b<a', 'c<b'), 'c')).toEqual(['a b c'])
  expect(shown(tree('a<a'))).toEqual(['a'])
  expect(shown(tree('a', 'b<a', 'b<a'), 'b')).toEqual(['a b', 'a: b'])
})

test('nothing is no path', () => {
  expect(shown([])).toEqual([])
})

test('whatever the links are, each node is in one path, and a parent is never behind its child', () => {
  const key = fc.nat({ max: 12 }).map(String)
  fc.assert(
    fc.property(
      fc.array(fc.record({ key, parent: fc.option(key, { nil: undefined }) })),
      fc.option(key, { nil: undefined }),
      (links, current) => {
        const nodes = links.map((link) => ({ ...link, raw: {} }))
        const paths = pathsOf(nodes, current)
        const all = paths.flatMap((path) => path.nodes)
        expect(new Set(all)).toEqual(new Set(nodes))
        expect(all).toHaveLength(nodes.length)
        for (const { nodes: path } of paths) {
          path.slice(1).forEach((node, i) => expect(node.parent).toBe(path[i]!.key))
        }
      },
    ),
  )
})

test('a chain of a hundred thousand nodes is no problem', () => {
  const nodes = Array.from({ length: 100_000 }, (_, i) => ({
    key: `${i}`,
    parent: i === 0 ? undefined : `${i - 1}`,
    raw: {},
  }))
  expect(pathsOf(nodes, undefined)[0]!.nodes).toHaveLength(100_000)
})
