import {
  DEFAULT_MAX_DISK_MB,
  DEFAULT_MAX_FILE_SIZE_MB,
  DEFAULT_MAX_OPEN_FILES,
  DEFAULT_MAX_PROCESSES,
} from '../../src/contract/limits.ts'
import type { ManifestLimits } from '../../src/contract/manifest.ts'
import { IssueList } from '../../src/contract/manifest/issue-list.ts'
import { MANIFEST_KEYS } from '../../src/contract/manifest/manifest-keys.ts'
import { parseLimits } from '../../src/contract/manifest/parse-limits.ts'
import { TableReader } from '../../src/contract/manifest/table-reader.ts'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import type { PluginLimits } from '../../src/contract/plugin-info.ts'
import { applyLimits } from '../process/apply-limits.ts'
import { requireCpuHold } from '../process/require-tier.ts'
import type { PluginRecord } from '../registry/plugin-record.ts'
import { describeLimits } from './describe-limits.ts'
import type { HandlerPowers } from './system-handlers.ts'

/** Sets limits of a plugin that is loaded, within those of its manifest, for the generation that serves. */
export async function setLimits(
  powers: Pick<HandlerPowers, 'machine' | 'maxPayloadBytes' | 'hasCgroups' | 'facts'>,
  record: PluginRecord,
  asked: Readonly<Record<string, unknown>>,
): Promise<PluginLimits> {
  const generation = record.current
  if (generation === null)
    throw new PhantomError(
      'PARAMS_INVALID',
      `Cannot limit "${record.id}": it has no valid manifest. Mend it first`,
    )
  const before = generation.limits
  const limits = merge(generation.manifest.limits, { asked, current: before })
  const { id, manifest } = generation
  requireCpuHold('limit', { ...powers, requiredTier: powers.facts.required_tier }, { id, manifest, limits })
  generation.setLimits(limits)
  const instances = [...record.lanes.values()].flatMap((lane) => [...lane.instances()])
  const processes = await Promise.all(
    instances
      .filter((instance) => instance.generation === generation && instance.pid !== null)
      .map(async (instance) => {
        instance.limitPayloads(Math.min(limits.maxOutputBytes ?? Infinity, powers.maxPayloadBytes))
        return {
          pid: instance.pid!,
          problem: await applyLimits(instance, { limits, before, machine: powers.machine }),
        }
      }),
  )
  return {
    plugin_id: record.id,
    generation: generation.number,
    limits: describeLimits({ ...powers, manifest: generation.manifest, limits }),
    processes,
  }
}

const HOUSE: Partial<Record<keyof ManifestLimits, number>> = {
  maxOpenFiles: DEFAULT_MAX_OPEN_FILES,
  maxProcesses: DEFAULT_MAX_PROCESSES,
  maxFileSizeMb: DEFAULT_MAX_FILE_SIZE_MB,
  maxDiskMb: DEFAULT_MAX_DISK_MB,
}

/** What was asked, by the manifest's own rules; wider than the manifest is refused: what it says is what was approved. */
function merge(
  declared: ManifestLimits,
  { asked, current }: { asked: Readonly<Record<string, unknown>>; current: ManifestLimits },
): ManifestLimits {
  const issues = new IssueList('', 'limits')
  const reader = new TableReader(asked, ['limits'], issues)
  reader.rejectUnknownKeys(MANIFEST_KEYS.resource_limits, () => null)
  const parsed = parseLimits(reader)
  const [issue] = issues.toArray()
  if (issue !== undefined) throw new PhantomError('PARAMS_INVALID', issue.message)
  const merged = { ...current }
  for (const name of Object.keys(asked)) {
    const key = toCamelCase(name) as keyof ManifestLimits
    const value = parsed[key]
    const most = declared[key] ?? HOUSE[key] ?? Infinity
    if (value !== null && value > most) throw widerError(name, value, most)
    merged[key] = value as never
  }
  return merged
}

function widerError(name: string, value: number, most: number): PhantomError {
  return new PhantomError(
    'PARAMS_INVALID',
    `Cannot set "${name}" to ${value}: its manifest allows ${most}, and a running plugin can only be narrowed. ` +
      'Raise it in [resource_limits] of its plugin.toml',
    { details: { limit: name, declared: most } },
  )
}

function toCamelCase(key: string): string {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
