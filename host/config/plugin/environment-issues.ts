import { nearestName } from '../../../src/contract/manifest/nearest-name.ts'
import type { ManifestIssue } from '../../../src/contract/plugin-info.ts'
import { quoteText } from '../../../src/contract/quote-text.ts'
import type { ConfigSource } from './config-source.ts'
import { isTree } from './merge-config.ts'

/** The same rule as for the daemon's own environments. */
const ENVIRONMENT_NAME = /^[a-z][a-z0-9_-]{0,63}$/
const USUAL_ENVIRONMENTS = ['development', 'production', 'test']
/** Each is checked by the schema, one after the other. */
const MAX_ENVIRONMENTS = 32

type Fault = (path: string[], message: string) => ManifestIssue

/** The overlays of a file by the name of their environment; what is no map counts as an empty one. */
export function environmentsIn(source: ConfigSource): Record<string, Record<string, unknown>> {
  const { environments } = source.data
  if (!isTree(environments)) return {}
  const overlays = Object.entries(environments).slice(0, MAX_ENVIRONMENTS)
  return Object.fromEntries(overlays.map(([name, overlay]) => [name, isTree(overlay) ? overlay : {}]))
}

/** What is wrong with `environments` itself; what is in them, the schema tells. */
export function environmentIssues(source: ConfigSource, environment: string): ManifestIssue[] {
  const { environments } = source.data
  const fault: Fault = (path, message) => issueAt(source, { path, severity: 'error', message })
  // Nothing below it: all of its lines may be commented out.
  if (environments === undefined || environments === null) return []
  if (!isTree(environments)) {
    const problem =
      'found no map, expected names of environments. Write "production:" below it, and below that its keys'
    return [fault(['environments'], `Cannot use "environments": ${problem}`)]
  }
  const names = Object.keys(environments)
  if (names.length > MAX_ENVIRONMENTS) {
    const problem = `found ${names.length}, expected at most ${MAX_ENVIRONMENTS}. Remove some`
    return [fault(['environments'], `Cannot use "environments": ${problem}`)]
  }
  return names.flatMap(
    (name) => overlayFault(name, environments[name], fault) ?? mistyped(source, name, environment),
  )
}

function overlayFault(name: string, overlay: unknown, fault: Fault): ManifestIssue | null {
  const path = ['environments', name]
  if (!ENVIRONMENT_NAME.test(name)) {
    const problem =
      'it is no name of an environment. Write a small letter, then small letters, digits, "_" or "-"'
    return fault(path, `Cannot use ${quoteText(name)}: ${problem}`)
  }
  if (overlay !== null && !isTree(overlay)) {
    const problem = 'found no map, expected keys of the configuration. Write them below it'
    return fault(path, `Cannot use "environments.${name}": ${problem}`)
  }
  if (!isTree(overlay) || !Object.hasOwn(overlay, 'environments')) return null
  const problem = 'environments do not hold others. Move it out'
  return fault([...path, 'environments'], `Cannot use "environments.${name}.environments": ${problem}`)
}

function mistyped(source: ConfigSource, name: string, environment: string): ManifestIssue[] {
  const usual = [...USUAL_ENVIRONMENTS, environment]
  const near = usual.includes(name) ? null : nearestName(name, usual)
  if (near === null) return []
  const message = `"environments.${name}" counts in an environment "${name}" alone. Did you mean "${near}"?`
  return [issueAt(source, { path: ['environments', name], severity: 'warning', message })]
}

function issueAt(
  source: ConfigSource,
  { path, ...rest }: { path: string[]; severity: ManifestIssue['severity']; message: string },
): ManifestIssue {
  return { file: source.path, ...source.placeOf(path, 'key'), field: path.join('.'), ...rest }
}
