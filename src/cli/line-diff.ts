/** Lines around a change that are shown with it. */
const CONTEXT_LINES = 3
/** Pairs of lines compared; beyond it everything between the first and the last change counts as changed. */
const MAX_PAIRS = 4_000_000

export interface DiffLine {
  /** `gap` stands for lines that are the same and not shown; its text says how many. */
  readonly kind: 'same' | 'removed' | 'added' | 'gap'
  readonly text: string
}

/** What turns the text `before` into `after`, line by line; empty where they are the same. */
export function diffText(before: string, after: string): DiffLine[] {
  if (before === after) return []
  const left = linesOf(before)
  const right = linesOf(after)
  const head = commonLength(left, right)
  const tail = commonLength(left.slice(head).toReversed(), right.slice(head).toReversed())
  const same = (lines: readonly string[]): DiffLine[] => lines.map((text) => ({ kind: 'same', text }))
  return withGaps([
    ...same(left.slice(0, head)),
    ...diffMiddle(left.slice(head, left.length - tail), right.slice(head, right.length - tail)),
    ...same(left.slice(left.length - tail)),
  ])
}

/** The end of the last line counts: a text without it differs from one that has it. */
function linesOf(text: string): string[] {
  const lines = text.split('\n')
  if (lines.at(-1) === '') return lines.slice(0, -1)
  return [...lines.slice(0, -1), `${lines.at(-1)} (no line end)`]
}

function commonLength(left: readonly string[], right: readonly string[]): number {
  const differing = left.findIndex((line, index) => line !== right[index])
  return differing === -1 ? Math.min(left.length, right.length) : differing
}

/** By the longest common subsequence; removed lines stand before added ones. */
function diffMiddle(left: readonly string[], right: readonly string[]): DiffLine[] {
  const removed = (text: string): DiffLine => ({ kind: 'removed', text })
  const added = (text: string): DiffLine => ({ kind: 'added', text })
  if (left.length * right.length > MAX_PAIRS) return [...left.map(removed), ...right.map(added)]
  const lengths = commonLengths(left, right)
  const lines: DiffLine[] = []
  let [row, column] = [0, 0]
  while (row < left.length || column < right.length) {
    const [old, fresh] = [left[row], right[column]]
    if (old !== undefined && old === fresh) {
      lines.push({ kind: 'same', text: old })
      row += 1
      column += 1
    } else if (
      old !== undefined &&
      (fresh === undefined || lengthAt(lengths, row + 1, column) >= lengthAt(lengths, row, column + 1))
    ) {
      lines.push(removed(old))
      row += 1
    } else {
      lines.push(added(fresh ?? ''))
      column += 1
    }
  }
  return lines
}

/** `[row][column]`: how many lines the ends from there on have in common. */
function commonLengths(left: readonly string[], right: readonly string[]): Uint32Array[] {
  const lengths = Array.from({ length: left.length + 1 }, () => new Uint32Array(right.length + 1))
  for (let row = left.length - 1; row >= 0; row -= 1) {
    for (let column = right.length - 1; column >= 0; column -= 1) {
      const length =
        left[row] === right[column]
          ? lengthAt(lengths, row + 1, column + 1) + 1
          : Math.max(lengthAt(lengths, row + 1, column), lengthAt(lengths, row, column + 1))
      lengths[row]?.set([length], column)
    }
  }
  return lengths
}

function lengthAt(lengths: readonly Uint32Array[], row: number, column: number): number {
  return lengths[row]?.[column] ?? 0
}

function withGaps(lines: readonly DiffLine[]): DiffLine[] {
  const isNear = lines.map(() => false)
  for (const [index, { kind }] of lines.entries()) {
    if (kind !== 'same') isNear.fill(true, Math.max(0, index - CONTEXT_LINES), index + CONTEXT_LINES + 1)
  }
  const shown: DiffLine[] = []
  for (let index = 0; index < lines.length;) {
    const line = lines[index]
    const next = isNear.indexOf(true, index)
    const hidden = (next === -1 ? lines.length : next) - index
    if (hidden > 0)
      shown.push({ kind: 'gap', text: hidden === 1 ? '1 line the same' : `${hidden} lines the same` })
    else if (line !== undefined) shown.push(line)
    index += Math.max(1, hidden)
  }
  return shown
}
