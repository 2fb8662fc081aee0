import { PhantomError } from '../../src/contract/phantom-error.ts'
import { CONFIG_KEYS } from './config-keys.ts'
import type { ConfigLayer } from './config-layer.ts'
import type { ConfigTree } from './config-schema.ts'

export interface MergedLayers {
  readonly tree: ConfigTree
  /** Which place has decided each key. */
  readonly origins: ReadonlyMap<string, string>
  readonly warnings: readonly string[]
}

/** Puts checked layers on top of each other, key by key: later ones win, a list replaces a list. */
export function mergeLayers(layers: readonly ConfigLayer[]): MergedLayers {
  const sections: Record<string, Record<string, unknown>> = {}
  for (const layer of layers) {
    for (const [section, values] of Object.entries(layer.sections))
      sections[section] = { ...sections[section], ...values }
  }
  assertWhole(sections)
  const tree = sections as unknown as ConfigTree
  const origins = new Map(layers.flatMap((layer) => [...layer.origins]))
  assertBackoff(tree, origins)
  return { tree, origins, warnings: [...layers.flatMap((layer) => layer.warnings), ...weakened(layers)] }
}

/** The layers are checked: known keys alone. What their sum lacks, the package's own defaults forgot. */
function assertWhole(sections: Readonly<Record<string, Readonly<Record<string, unknown>>>>): void {
  const missing = CONFIG_KEYS.find(({ section, key }) => sections[section]?.[key] === undefined)
  if (missing === undefined) return
  const message = `Cannot use the package's configuration: "${missing.name}" is missing. Install the package anew`
  throw new PhantomError('CONFIG_INVALID', message, { details: { field: missing.name } })
}

/** The one rule between two keys; each may come from a place of its own. */
function assertBackoff({ restart }: ConfigTree, origins: ReadonlyMap<string, string>): void {
  if (restart.backoff_initial_ms <= restart.backoff_max_ms) return
  const [initial, maximum] = ['restart.backoff_initial_ms', 'restart.backoff_max_ms']
  throw new PhantomError(
    'CONFIG_INVALID',
    `Cannot use the configuration: ${origins.get(initial)}: "${initial}" is ${restart.backoff_initial_ms}, ` +
      `expected at most "${maximum}", which is ${restart.backoff_max_ms} (${origins.get(maximum)}). Change one`,
    { details: { field: initial, origin: origins.get(initial) ?? null } },
  )
}

/** A user may give up the isolation that an environment demands; it should not go unseen. */
function weakened(layers: readonly ConfigLayer[]): string[] {
  let isRequired = false
  const warnings: string[] = []
  for (const { sections, origins } of layers) {
    const tier = sections['security']?.['required_tier']
    if (tier === 'process' && isRequired) {
      const place = origins.get('security.required_tier')
      warnings.push(
        `${place}: "security.required_tier" is lowered to process: plugins may run without bubblewrap`,
      )
    }
    isRequired = tier === undefined ? isRequired : tier === 'namespace'
  }
  return warnings
}
