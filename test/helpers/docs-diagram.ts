import fs from 'node:fs'
import path from 'node:path'
import { readPage, ROOT } from './docs-pages.ts'

/** A state table as a function; a `RangeError` says that the event cannot happen there. */
export interface StateTable {
  readonly states: readonly string[]
  readonly events: readonly string[]
  readonly next: (state: string, event: string) => string
}

export interface Move {
  readonly from: string
  readonly event: string
  readonly to: string
}

/** Every move of the table, by state and then by event. */
export function movesOf({ states, events, next }: StateTable): Move[] {
  return states.flatMap((from) =>
    events.flatMap((event) => {
      try {
        return [{ from, event, to: next(from, event) }]
      } catch (error) {
        if (error instanceof RangeError) return []
        throw error
      }
    }),
  )
}

/** The table as a mermaid diagram: the first state is where everything begins, one without moves is an end. */
export function drawStates(table: StateTable): string {
  const moves = movesOf(table)
  const ends = table.states.filter((state) => !moves.some(({ from }) => from === state))
  return [
    '```mermaid',
    'stateDiagram-v2',
    `  [*] --> ${table.states[0]}`,
    ...moves.map(({ from, event, to }) => `  ${from} --> ${to}: ${event}`),
    ...ends.map((state) => `  ${state} --> [*]`),
    '```',
  ].join('\n')
}

/** The block of a page behind `<!-- drawn: NAME -->`, fences included. */
export function drawnBlock(page: string, name: string): string {
  const block = blockPattern(name).exec(readPage(page))?.[1]
  if (block === undefined) throw new Error(`Cannot find a block behind <!-- drawn: ${name} --> in ${page}`)
  return block
}

export function writeDrawnBlock(page: string, name: string, drawn: string): void {
  const text = readPage(page).replace(blockPattern(name), () => `<!-- drawn: ${name} -->\n${drawn}\n`)
  fs.writeFileSync(path.join(ROOT, page), text)
}

function blockPattern(name: string): RegExp {
  return new RegExp(`<!-- drawn: ${name} -->\\n(\`\`\`mermaid\\n[\\s\\S]*?^\`\`\`)\\n`, 'm')
}
