import { quote } from './pipeline-error.ts'

/** Bounds the work on hostile names; real ones are shorter. */
const MAX_COMPARED_CHARS = 64
const MAX_LISTED = 12
/** Share of a name that may differ for it to count as a slip of the pen. */
const SLIP = 0.4
/** Below this, containing one another means nothing. */
const MIN_CONTAINED_CHARS = 3

/** `Did you mean "score"? Known: score, age`, nearest first; the question only where a slip is likely. */
export function suggestName(found: string, known: readonly string[]): string {
  const wanted = fold(found)
  const ranked = known
    .map((name) => ({ name, distance: distanceOf(wanted, fold(name)) }))
    .toSorted((a, b) => a.distance - b.distance)
  const nearest = ranked[0]
  if (nearest === undefined) return 'There are none'
  const question = isSlip(wanted, fold(nearest.name), nearest.distance)
    ? `Did you mean ${quote(nearest.name)}? `
    : ''
  const listed = ranked.slice(0, MAX_LISTED).map(({ name }) => quote(name))
  const rest = known.length - listed.length
  return `${question}Known: ${listed.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}

function fold(name: string): string {
  return name.slice(0, MAX_COMPARED_CHARS).toLowerCase()
}

function isSlip(wanted: string, name: string, distance: number): boolean {
  return distance < 1 || distance <= Math.max(1, Math.floor(Math.max(wanted.length, name.length) * SLIP))
}

/** Levenshtein's; a name that contains the other counts as one step away. */
function distanceOf(a: string, b: string): number {
  if (a === b) return 0
  if (Math.min(a.length, b.length) >= MIN_CONTAINED_CHARS && (a.includes(b) || b.includes(a))) return 1
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const replaced = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1)
      current.push(Math.min(replaced, previous[column]! + 1, current[column - 1]! + 1))
    }
    previous = current
  }
  return previous[b.length]!
}
