import { parsePermission } from '../contract/permission.ts'
import type { RightInfo } from '../contract/permissions-info.ts'
import { printLine } from './output.ts'
import { formatSentence } from './permissions.ts'
import { printable } from './printable.ts'
import type { TerminalQuestions } from './terminal-questions.ts'

/** Asks of each right how much of it is given. Null when there is no answer. */
export async function narrowRights(
  questions: TerminalQuestions,
  rights: readonly RightInfo[],
): Promise<string[] | null> {
  const granted: string[] = []
  for (const right of rights) {
    const given = await askOne(questions, right)
    if (given === null) return null
    granted.push(...given)
  }
  return granted
}

async function askOne(questions: TerminalQuestions, right: RightInfo): Promise<string[] | null> {
  printLine(formatSentence(right))
  const narrower = sampleOf(right.right)
  const hint = narrower === null ? '' : `, or less (${narrower})`
  for (;;) {
    const answer = await questions.ask(`  [y]es, [n]o${hint}: `)
    if (answer === null) return null
    const read = readAnswer(right.right, answer)
    if (typeof read !== 'string') return read
    printLine(`  ${printable(read)}`)
  }
}

/** The rights that an answer gives; or what is wrong with it, in words. */
export function readAnswer(right: string, answer: string): string[] | string {
  const word = answer.toLowerCase()
  if (word === 'y' || word === 'yes') return [right]
  if (word === 'n' || word === 'no') return []
  if (sampleOf(right) === null) return 'Answer yes or no'
  if (answer === '') return 'Answer yes, no, or name a part of it'
  const kind = right.slice(0, right.indexOf(':'))
  const isWhole =
    answer.startsWith('fs_read:') || answer.startsWith('fs_write:') || answer.startsWith(`${kind}:`)
  const text = isWhole ? answer : `${kind}:${answer}`
  const permission = parsePermission(text)
  return 'error' in permission ? permission.error : [text]
}

/** What a part of it could be; null for what has none. */
function sampleOf(right: string): string | null {
  const [kind, ...rest] = right.split(':')
  const value = rest.join(':')
  if (kind === 'fs_read') return `${value === '/' ? '' : value}/FOLDER`
  if (kind === 'fs_write') return `${value === '/' ? '' : value}/FOLDER, fs_read:${value}`
  if (kind !== 'network') return null
  if (value.startsWith('*.')) return `HOST${value.slice(1)}`
  return value === '*' ? 'HOST,HOST' : /:[0-9]+$/.test(value) ? null : `${value}:443`
}
