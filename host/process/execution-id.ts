const BASE = 36

/** Of the call that has this id on its process's channel. */
export function executionIdOf(prefix: string, requestId: number): string {
  return prefix + requestId.toString(BASE)
}

/** Null for an id of another process, or of none. */
export function requestIdOf(prefix: string, executionId: string): number | null {
  if (!executionId.startsWith(prefix)) return null
  const id = Number.parseInt(executionId.slice(prefix.length), BASE)
  return Number.isSafeInteger(id) && id >= 0 ? id : null
}
