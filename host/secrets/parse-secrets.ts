import { isLoaderVariable } from '../../src/contract/permission.ts'

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,254}$/
const MAX_SECRETS = 1000
const MAX_VALUE_CHARS = 64 * 1024
const MAX_PROBLEMS = 20

export interface ParsedSecrets {
  readonly values: ReadonlyMap<string, string>
  /** `line 3: …`; never with anything that stands in the line. */
  readonly problems: readonly string[]
}

/**
 * `NAME=value`, one a line: the value is what follows, as it stands, or a JSON string. Blank lines and lines that
 * begin with `#` are nothing. All else is a mistake.
 */
export function parseSecrets(text: string): ParsedSecrets {
  const values = new Map<string, string>()
  const problems: string[] = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const problem = takeLine(line, values)
    if (problem !== null) problems.push(`line ${index + 1}: ${problem}`)
    if (problems.length === MAX_PROBLEMS) break
  }
  return { values, problems }
}

function takeLine(line: string, values: Map<string, string>): string | null {
  const equals = line.indexOf('=')
  const name = line.slice(0, Math.max(0, equals))
  if (equals === -1) return 'it has no "=". Write NAME=value'
  if (!NAME.test(name)) {
    return 'what stands before "=" is no name of a variable. Use letters, digits and "_" alone, without blanks'
  }
  if (isLoaderVariable(name))
    return `${name} steers how a process is loaded and is passed to no plugin. Remove it`
  if (values.has(name)) return `${name} stands here twice. Remove one`
  if (values.size >= MAX_SECRETS) return `there are more than ${MAX_SECRETS} names. Remove some`
  const value = readValue(line.slice(equals + 1))
  if ('problem' in value) return `the value of ${name} ${value.problem}`
  values.set(name, value.value)
  return null
}

function readValue(written: string): { value: string } | { problem: string } {
  const isQuoted = written.startsWith('"')
  const value = isQuoted ? fromJson(written) : written
  if (value === null)
    return { problem: 'is no whole JSON string. End it with a quote, and escape those inside' }
  if (!isQuoted && value !== value.trim())
    return { problem: 'begins or ends with a blank. Put it in double quotes' }
  if (!isQuoted && value.startsWith("'")) return { problem: 'begins with a single quote. Use double quotes' }
  if (value.includes('\0')) return { problem: 'holds a NUL, which no variable can. Remove it' }
  if (!isQuoted && /\p{Cc}/u.test(value))
    return { problem: 'holds a control character. Write it as a JSON string' }
  if (value.length > MAX_VALUE_CHARS)
    return { problem: `has more than ${MAX_VALUE_CHARS} characters. Shorten it` }
  return { value }
}

function fromJson(written: string): string | null {
  try {
    const value: unknown = JSON.parse(written)
    return typeof value === 'string' ? value : null
  } catch {
    // Its message would quote the value.
    return null
  }
}
