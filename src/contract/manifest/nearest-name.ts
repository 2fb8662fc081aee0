/** Beyond this no name of ours is near, and the comparison would only cost time. */
const MAX_COMPARED_CHARS = 64

/**
 * The known name that a mistyped one most likely meant, or null when none is near: at most a third of its
 * letters may differ (swapped neighbours count once). Upper and lower case and `-` for `_` count as the same.
 */
export function nearestName(name: string, known: Iterable<string>): string | null {
  if (name.length > MAX_COMPARED_CHARS) return null
  const wanted = folded(name)
  let nearest: string | null = null
  let least = Math.max(1, Math.floor(wanted.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(wanted, folded(candidate))
    if (distance < least) {
      least = distance
      nearest = candidate
    }
  }
  return nearest
}

function folded(name: string): string {
  return name.toLowerCase().replaceAll('-', '_')
}

/** Optimal string alignment: insert, delete, replace and swap of neighbours cost one each. */
function editDistance(left: string, right: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: right.length + 1 }, (_, column) => column)
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= right.length; column += 1) {
      const replaced = left[row - 1] === right[column - 1] ? 0 : 1
      let cost = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + replaced,
      )
      const swapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
      if (row > 1 && column > 1 && swapped) cost = Math.min(cost, (beforePrevious[column - 2] ?? 0) + 1)
      current.push(cost)
    }
    beforePrevious = previous
    previous = current
  }
  return previous[right.length] ?? 0
}
