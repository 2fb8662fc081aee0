import type { GenerationCause } from '../../src/contract/generations.ts'
import { issueText } from '../../src/contract/manifest/issue-list.ts'
import type { Manifest } from '../../src/contract/manifest.ts'
import { isPhantomError } from '../../src/contract/phantom-error.ts'
import type { PluginRecord } from '../registry/plugin-record.ts'
import { readManifest } from '../registry/read-manifest.ts'
import { GateFailure } from './gate-failure.ts'
import type { Generation } from './generation.ts'

export interface GatePowers {
  makeGeneration(plugin: PluginRecord, manifest: Manifest, cause: GenerationCause): Generation
  /** A new generation with the files of another. */
  renewGeneration(of: Generation, cause: GenerationCause): Promise<Generation>
  /** Why a plugin with that manifest may not run with the rights it holds; null when it may. */
  refusalOf(plugin: PluginRecord, manifest: Manifest): string | null
  dependencyProblem(plugin: PluginRecord, manifest: Manifest): string | null
  /** Copies its files, compiles its schemas. */
  prepare(generation: Generation): Promise<unknown>
  /** Throws CONFIG_INVALID when the plugin's configuration does not fit this generation. */
  checkConfiguration(generation: Generation): Promise<void>
}

/**
 * Reads a plugin's files and takes them through the gates before a process is needed; null when nothing has changed.
 *
 * @throws GateFailure
 */
export async function passGates(
  powers: GatePowers,
  plugin: PluginRecord,
  cause: GenerationCause,
): Promise<Generation | null> {
  const { manifest, issues } = await readManifest(plugin.directory)
  plugin.issues = issues
  if (manifest === null) {
    const worst = issues.find((issue) => issue.severity === 'error') ?? issues[0]
    throw new GateFailure('manifest', worst === undefined ? 'it is invalid' : issueText(worst))
  }
  if (manifest.id !== plugin.id) {
    throw new GateFailure(
      'manifest',
      `its id is "${manifest.id}" now. A plugin keeps its id; unload it first`,
    )
  }
  checkPermissions(powers, plugin, manifest)
  const problem = powers.dependencyProblem(plugin, manifest)
  if (problem !== null) throw new GateFailure('dependencies', problem)
  const next = powers.makeGeneration(plugin, manifest, cause)
  await prepare(powers, next)
  if (cause === 'files' && plugin.state === 'enabled' && isSame(next, plugin.current)) {
    // Its number was seen by nobody; reloads of one plugin take turns.
    plugin.lastGeneration -= 1
    return null
  }
  try {
    await powers.checkConfiguration(next)
  } catch (error) {
    throw new GateFailure('configuration', error, next)
  }
  return next
}

/** A generation that never ran has no copy to compare with: then nothing may have changed since it was loaded. */
function isSame(next: Generation, current: Generation | null): boolean {
  if (current === null) return false
  return current.digest === null ? next.changedAtMs < current.at.getTime() : next.digest === current.digest
}

/** What is refused here waits: an approval takes it through the gates again. */
function checkPermissions(
  powers: Pick<GatePowers, 'refusalOf'>,
  plugin: PluginRecord,
  manifest: Manifest,
): void {
  const reason = powers.refusalOf(plugin, manifest)
  plugin.waiting = reason === null ? null : { manifest, reason }
  if (reason === null) return
  if (plugin.state === 'blocked') plugin.reason = reason
  throw new GateFailure('permissions', reason)
}

async function prepare(powers: GatePowers, next: Generation): Promise<void> {
  try {
    await powers.prepare(next)
  } catch (error) {
    const code = isPhantomError(error) ? error.code : null
    const gate =
      code === 'MANIFEST_INVALID' ? 'manifest' : code === 'CONFIG_INVALID' ? 'configuration' : 'spawn'
    throw new GateFailure(gate, error, next)
  }
}
