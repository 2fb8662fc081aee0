import { listOrNone, type Compared } from './compared.ts'
import type { Expected } from './expected.ts'
import { parseEnviron } from './parse-proc.ts'
import type { Reading } from './read-facts.ts'

export function compareEnvironment(expected: Expected, text: Reading<string>): Compared {
  const names = Object.keys(expected.env).toSorted()
  const compared = {
    name: 'environment',
    declared: `exactly ${listOrNone(names)}`,
    mechanism: 'environment',
    file: 'environ',
  } as const
  if (!('value' in text)) return { ...compared, found: text.unreadable }
  const found = parseEnviron(text.value)
  const seen = new Set(found.map(([name]) => name))
  const problems = [
    ...found.flatMap(([name, value], index) => {
      if (!Object.hasOwn(expected.env, name)) return [`${shown(name)} was not declared`]
      if (found.findIndex(([other]) => other === name) !== index) return [`${shown(name)} is there twice`]
      return expected.env[name] === value ? [] : [`${shown(name)} has another value`]
    }),
    ...names.filter((name) => !seen.has(name)).map((name) => `${shown(name)} is missing`),
  ]
  const effective = problems.length === 0 ? `exactly ${listOrNone(names)}` : problems.join('; ')
  return { ...compared, found: { effective, holds: problems.length === 0 } }
}

/** A name that nobody declared is anybody's text. */
function shown(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name) ? name : JSON.stringify(name.slice(0, 64))
}
