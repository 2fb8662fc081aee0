import satisfies from 'semver/functions/satisfies.js'
import { nearestName } from '../../src/contract/manifest/nearest-name.ts'

/** A plugin as its dependants see it. */
export interface DependencyNode {
  readonly id: string
  /** Null for a plugin that cannot run; `reason` says why. */
  readonly version: string | null
  readonly reason: string | null
  /** Ids with the ranges of versions that it needs. */
  readonly needs: Readonly<Record<string, string>>
}

/**
 * What is wrong with what each plugin needs, in words; plugins without an entry have all that they need. A circle is
 * named in full by each plugin in it.
 */
export function dependencyProblems(nodes: ReadonlyMap<string, DependencyNode>): Map<string, string> {
  const problems = new Map<string, string>()
  for (const node of nodes.values()) {
    const problem = ownProblem(node, nodes) ?? circleProblem(node, nodes)
    if (problem !== null) problems.set(node.id, problem)
  }
  return problems
}

function ownProblem(node: DependencyNode, nodes: ReadonlyMap<string, DependencyNode>): string | null {
  for (const [id, range] of Object.entries(node.needs)) {
    const found = nodes.get(id)
    if (found === undefined) {
      const nearest = nearestName(id, nodes.keys())
      return `it needs "${id}" ${range}, and there is no such plugin${nearest === null ? '' : `; there is "${nearest}"`}`
    }
    if (found.version === null) return `it needs "${id}" ${range}, which cannot run: ${found.reason}`
    if (!satisfies(found.version, range)) return `it needs "${id}" ${range}, found ${found.version}`
  }
  return null
}

function circleProblem(start: DependencyNode, nodes: ReadonlyMap<string, DependencyNode>): string | null {
  const path = wayTo(start.id, start, { nodes, seen: new Set() })
  return path === null ? null : `what it needs leads back to it: ${[start.id, ...path].join(' → ')}`
}

/** The ids on the way from a plugin to `goal`, the goal last; null when none leads there. */
function wayTo(
  goal: string,
  from: DependencyNode,
  walk: { nodes: ReadonlyMap<string, DependencyNode>; seen: Set<string> },
): string[] | null {
  for (const id of Object.keys(from.needs)) {
    if (id === goal) return [id]
    const next = walk.nodes.get(id)
    if (next === undefined || walk.seen.has(id)) continue
    walk.seen.add(id)
    const rest = wayTo(goal, next, walk)
    if (rest !== null) return [id, ...rest]
  }
  return null
}
