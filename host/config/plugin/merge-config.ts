type Tree = Readonly<Record<string, unknown>>

/** Object into object; anything else, lists too, replaces what stood there. */
export function mergeConfig(base: Tree, overlay: Tree): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(overlay)) {
    const below = Object.hasOwn(base, key) ? base[key] : undefined
    merged[key] = isTree(below) && isTree(value) ? mergeConfig(below, value) : value
  }
  return merged
}

/** An update, as JSON Merge Patch says it (RFC 7396): like a merge, and null takes a key away. */
export function patchConfig(base: Tree, updates: Tree): Record<string, unknown> {
  const patched: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(updates)) {
    const below = Object.hasOwn(base, key) ? base[key] : undefined
    if (value === null) delete patched[key]
    else patched[key] = isTree(value) ? patchConfig(isTree(below) ? below : {}, value) : value
  }
  return patched
}

export function isTree(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
