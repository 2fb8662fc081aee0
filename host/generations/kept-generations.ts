import { rmSync } from 'node:fs'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import type { PluginRecord } from '../registry/plugin-record.ts'
import type { Generation } from './generation.ts'

/** Rejected ones without a manifest are only told of. */
const MAX_TOLD = 20

/**
 * The generation to go back to: the named one, or the last that served, with other files than those that serve now if
 * there is such a one; null when its files are not kept.
 */
export function keptFor(plugin: PluginRecord, number?: number): Generation | null {
  const kept = plugin.others.filter((generation) => generation.snapshot !== null)
  if (number !== undefined) return kept.find((generation) => generation.number === number) ?? null
  const served = kept.filter((generation) => generation.state === 'superseded')
  return served.findLast(({ digest }) => digest !== plugin.current?.digest) ?? served.at(-1) ?? null
}

export function generationNotFound(plugin: PluginRecord, number?: number): PhantomError {
  const kept = plugin.others.filter((generation) => generation.snapshot !== null).map((one) => one.number)
  const which =
    number === undefined ? 'no generation before this one is kept' : `generation ${number} is not kept`
  const advice = kept.length === 0 ? 'There is none to go back to' : `Kept are ${kept.join(', ')}`
  return new PhantomError('GENERATION_NOT_FOUND', `Cannot roll back "${plugin.id}": ${which}. ${advice}`, {
    details: { plugin_id: plugin.id, generation: number ?? null, kept },
  })
}

/**
 * Forgets the oldest, files and all, but for those that a process still runs from. Rejected ones count for themselves,
 * so that broken saves push out none that served.
 */
export function trimGenerations(plugin: PluginRecord, maxKept: number): void {
  const running = new Set<Generation>()
  for (const lane of plugin.lanes.values())
    for (const instance of lane.instances()) running.add(instance.generation)
  const rejected = plugin.others.filter(({ state }) => state === 'rejected')
  const served = plugin.others.filter(({ state }) => state !== 'rejected')
  const excess = [...oldestOf(rejected, maxKept), ...oldestOf(served, maxKept)]
  const dropped = new Set(excess.filter((generation) => !running.has(generation)))
  plugin.others = plugin.others.filter((generation) => !dropped.has(generation))
  for (const generation of dropped) dropFiles(plugin, generation)
  plugin.rejected.splice(0, Math.max(0, plugin.rejected.length - MAX_TOLD))
}

function oldestOf(generations: readonly Generation[], maxKept: number): readonly Generation[] {
  return generations.slice(0, Math.max(0, generations.length - maxKept))
}

function dropFiles(plugin: PluginRecord, dropped: Generation): void {
  const { snapshot } = dropped
  if (dropped.state === 'rejected') plugin.rejected.push({ ...dropped.describe(), kept: false })
  const isShared = [...plugin.others, plugin.current].some((other) => other?.snapshot === snapshot)
  if (snapshot === null || isShared) return
  try {
    rmSync(snapshot, { recursive: true, force: true })
  } catch {
    // A disk that fails keeps some files too many; a switch must not fail of it.
  }
}
