import { isDeepStrictEqual } from 'node:util'
import type { AuditActor } from '../../src/contract/audit.ts'
import type { ApprovalResult } from '../../src/contract/permissions-info.ts'
import { isPhantomError, PhantomError } from '../../src/contract/phantom-error.ts'
import type { PluginRights } from '../approvals/plugin-rights.ts'
import {
  covers,
  rightsDigest,
  rightsOf,
  rightsOfPermission,
  rightText,
  type Right,
} from '../approvals/right.ts'
import type { Executor } from '../execution/executor.ts'
import type { Generation } from '../generations/generation.ts'
import type { Reloader, RightsProblem } from '../generations/reloader.ts'
import type { DaemonLog } from '../observe/daemon-log.ts'
import type { PluginRecord } from '../registry/plugin-record.ts'
import type { PluginRegistry } from '../registry/plugin-registry.ts'
import { notRunnable } from '../registry/runnable.ts'
import type { Manifest } from '../../src/contract/manifest.ts'

interface RightsChangesPowers {
  readonly engine: {
    readonly registry: PluginRegistry
    readonly executor: Pick<Executor, 'forget'>
    readonly reloader: Reloader
  }
  readonly rights: PluginRights
  readonly log: DaemonLog
}

type Actor = AuditActor | null

/** Takes what was decided about rights to the plugins: at once, without a restart of the daemon. */
export class RightsChanges {
  readonly #powers: RightsChangesPowers

  constructor(powers: RightsChangesPowers) {
    this.#powers = powers
  }

  /** @throws PhantomError APPROVAL_OUTDATED, PARAMS_INVALID, MANIFEST_INVALID */
  async approve(
    plugin: PluginRecord,
    request: { digest: string; granted?: readonly string[]; actor: Actor },
  ): Promise<ApprovalResult> {
    if (plugin.builtin) throw builtinError(plugin.id)
    const manifest = askedManifest(plugin)
    const granted = this.#powers.rights.approve(plugin, manifest, request)
    const problem = await this.#apply(plugin)
    return {
      plugin_id: plugin.id,
      digest: rightsDigest(plugin.id, rightsOf(manifest)),
      granted: granted.map(rightText),
      state: plugin.state,
      generation: plugin.current?.number ?? 0,
      problem: problem ?? (plugin.state === 'enabled' ? null : plugin.reason),
    }
  }

  /** Settles when none of its processes is left. */
  async revoke(plugin: PluginRecord, actor: Actor): Promise<void> {
    if (plugin.builtin) throw builtinError(plugin.id)
    const manifest = askedManifest(plugin)
    this.#powers.rights.revoke(plugin, actor)
    plugin.waiting = null
    const reason = this.#powers.rights.judge(plugin, manifest).blocked
    if (reason !== null) await this.#block(plugin, reason)
  }

  /** The administrator's policy changed. Settles when each plugin holds what it says now. */
  async policyChanged(): Promise<void> {
    await Promise.all(Array.from(this.#powers.engine.registry.records, (plugin) => this.#rejudge(plugin)))
  }

  async #rejudge(plugin: PluginRecord): Promise<void> {
    const { current } = plugin
    if (current === null) return
    const { blocked } = this.#powers.rights.admit(plugin, current.manifest)
    const problem = blocked === null ? await this.#apply(plugin) : await this.#block(plugin, blocked)
    if (problem !== null) this.#powers.log.warn(problem, { plugin_id: plugin.id })
  }

  /** Lets it run with what it holds now; why that fails, in words. */
  async #apply(plugin: PluginRecord): Promise<string | null> {
    const { rights, engine } = this.#powers
    const { reloader } = engine
    const { current } = plugin
    if (current === null) return null
    try {
      if (plugin.state === 'blocked' || this.#isWanted(plugin)) {
        await reloader.reload(plugin, 'permissions')
      } else if (!isSame(current, rights.heldBy(plugin, current.manifest))) {
        const held = rights.heldBy(plugin, current.manifest)
        await reloader.regrant(plugin, isLess(current, held))
      }
      return null
    } catch (error) {
      if (!isPhantomError(error) || error.code !== 'GENERATION_REJECTED') throw error
      return error.message
    }
  }

  /** An update waited for what is approved now. */
  #isWanted(plugin: PluginRecord): boolean {
    const { waiting } = plugin
    return waiting !== null && this.#powers.rights.judge(plugin, waiting.manifest).blocked === null
  }

  async #block(plugin: PluginRecord, reason: string): Promise<null> {
    const { registry, executor, reloader } = this.#powers.engine
    if (plugin.state === 'failed') {
      plugin.move('reset')
      plugin.move('manifest_valid')
    }
    if (plugin.state === 'blocked') plugin.reason = reason
    else if (plugin.state === 'enabled' || plugin.state === 'validated') plugin.move('rights_refused', reason)
    registry.save(plugin)
    registry.refreshDependencies()
    const refusal = notRunnable(plugin)
    const lanes = [...plugin.lanes.values()]
    const ended = lanes.map(async (lane) => {
      await lane.close('operator', refusal)
      executor.forget(lane)
    })
    await Promise.all([...ended, reloader.endComing(plugin)])
    return null
  }
}

/** What `get_permissions` shows and an approval is for: what its files said when they were read last. */
export function askedManifest(plugin: PluginRecord): Manifest {
  const manifest = plugin.waiting?.manifest ?? plugin.manifest
  if (manifest !== null) return manifest
  throw new PhantomError(
    'MANIFEST_INVALID',
    `Cannot tell what "${plugin.id}" asks for: it is ${plugin.state}: ${plugin.reason}. Mend its manifest first`,
    { details: { plugin_id: plugin.id } },
  )
}

function builtinError(pluginId: string): PhantomError {
  return new PhantomError(
    'PARAMS_INVALID',
    `Cannot decide about "${pluginId}": it comes with the package and is approved. Block it in policy.yaml, or leave ` +
      'all of these out with plugins.builtin: false',
    { details: { plugin_id: pluginId } },
  )
}

/** Why a generation may not serve with what it was made with; null when it may. */
export function rightsProblem(
  rights: PluginRights,
  plugin: PluginRecord,
  generation: Generation,
): RightsProblem | null {
  const { blocked } = rights.judge(plugin, generation.manifest)
  if (blocked !== null) return { reason: blocked, isPassing: false }
  if (isSame(generation, rights.heldBy(plugin, generation.manifest))) return null
  return { reason: 'its rights changed while it came up: it is made anew', isPassing: true }
}

function isSame(generation: Generation, held: ReturnType<PluginRights['heldBy']>): boolean {
  // Why something is not held may change alone: that is no other right.
  return isDeepStrictEqual(
    [generation.rights, generation.runtime, generation.forbidden],
    [held.permissions, held.runtime, held.forbidden],
  )
}

/** Whether something is taken from it. */
function isLess(generation: Generation, held: ReturnType<PluginRights['heldBy']>): boolean {
  const left = held.permissions.flatMap(rightsOfPermission)
  const isHeld = (right: Right): boolean => left.some((wider) => covers(wider, right))
  return (
    !generation.rights.flatMap(rightsOfPermission).every(isHeld) ||
    !isDeepStrictEqual(generation.runtime, held.runtime) ||
    !isDeepStrictEqual(generation.forbidden, held.forbidden)
  )
}
