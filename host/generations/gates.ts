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
  /** Why its rights are not granted; null when they are. */
  refusalOf(manifest: Manifest): string | null
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
  request: { readonly cause: GenerationCause; readonly acceptPermissions?: boolean },
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
  checkPermissions(powers, plugin, manifest, request.acceptPermissions === true)
  const problem = powers.dependencyProblem(plugin, manifest)
  if (problem !== null) throw new GateFailure('dependencies', problem)
  const next = powers.makeGeneration(plugin, manifest, request.cause)
  await prepare(powers, next)
  if (request.cause === 'files' && plugin.state !== 'failed' && isSame(next, plugin.current)) {
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

function checkPermissions(
  powers: GatePowers,
  plugin: PluginRecord,
  manifest: Manifest,
  isAccepted: boolean,
): void {
  const refusal = powers.refusalOf(manifest)
  if (refusal !== null) throw new GateFailure('permissions', refusal)
  const before = plugin.current?.manifest ?? null
  if (before === null || isAccepted) return
  const held = new Set(before.permissions.map((permission) => permission.declared))
  const wider = manifest.permissions.filter((permission) => !held.has(permission.declared))
  if (wider.length === 0) return
  const asked = wider.map((permission) => `"${permission.declared}"`).join(', ')
  throw new GateFailure(
    'permissions',
    `it asks for more than before: ${asked}. Say yes with "phantom reload ${plugin.id} --accept-permissions"`,
  )
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
