import { canonicalAddress, canonicalHost } from './canonical-host.ts'

const known = new WeakMap<readonly string[], ReadonlyMap<string, readonly string[]>>()

/** `egress.resolve` of the configuration: `name=address`, one name as often as it has addresses. */
export function parseOverrides(lines: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const parsed = known.get(lines)
  if (parsed !== undefined) return parsed
  const overrides = new Map<string, string[]>()
  for (const line of lines) {
    const override = parseOverride(line)
    if (override === null) continue
    const [name, address] = override
    overrides.set(name, [...(overrides.get(name) ?? []), address])
  }
  known.set(lines, overrides)
  return overrides
}

/** Null where the line is not `name=address`. */
function parseOverride(line: string): [name: string, address: string] | null {
  const at = line.indexOf('=')
  const host = canonicalHost(line.slice(0, at).trim())
  const address = canonicalAddress(line.slice(at + 1).trim())
  if (at < 1 || 'refused' in host || host.kind !== 'name' || address === null) return null
  return [host.text, address.text]
}
