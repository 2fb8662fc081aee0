import { basename } from 'node:path'
import { nearestName } from '../../../src/contract/manifest/nearest-name.ts'
import { quoteText } from '../../../src/contract/quote-text.ts'
import type { AdminRule } from '../../approvals/admin-rules.ts'
import { parseRights, type Right } from '../../approvals/right.ts'
import { describeValue } from '../plugin/describe-value.ts'
import { invalidFile, readYaml, type YamlFile } from '../read-yaml.ts'

/** What an administrator says, by whom it is about. Semantics: what stands nowhere takes nothing away; nothing gives. */
export interface AdminPolicy {
  readonly everywhere: AdminRule | null
  /** By the author of the manifest. */
  readonly publishers: ReadonlyMap<string, AdminRule>
  /** By the plugin's id. */
  readonly plugins: ReadonlyMap<string, AdminRule>
}

export const NO_POLICY: AdminPolicy = { everywhere: null, publishers: new Map(), plugins: new Map() }

const SECTIONS = ['everywhere', 'publishers', 'plugins'] as const
const RULE_KEYS = ['block', 'refuse', 'only'] as const
const LIMITED_KINDS = ['fs_read', 'fs_write', 'network', 'env', 'runtime'] as const
const MAX_SHOWN_PROBLEMS = 20

type Path = readonly string[]
type Table = Readonly<Record<string, unknown>>

/** Null when the file is not there. Throws `CONFIG_INVALID` with every place that is wrong: half a policy is none. */
export function readPolicy(file: string): AdminPolicy | null {
  const yaml = readYaml(file)
  return yaml === null ? null : new PolicyReader(file, yaml).read()
}

class PolicyReader {
  readonly #file: string
  readonly #yaml: YamlFile
  readonly #problems: string[] = []

  constructor(file: string, yaml: YamlFile) {
    this.#file = file
    this.#yaml = yaml
  }

  read(): AdminPolicy {
    const { data } = this.#yaml
    const top = data === null || data === undefined ? {} : this.#table(data, [], SECTIONS)
    const { everywhere } = top
    const policy = {
      everywhere: everywhere === undefined ? null : this.#rule(everywhere, ['everywhere']),
      publishers: this.#rules(top['publishers'], 'publishers'),
      plugins: this.#rules(top['plugins'], 'plugins'),
    }
    if (this.#problems.length > 0) throw invalidFile(this.#file, this.#problems.slice(0, MAX_SHOWN_PROBLEMS))
    return policy
  }

  #rules(value: unknown, section: string): Map<string, AdminRule> {
    if (value === undefined) return new Map()
    const names = Object.entries(this.#table(value, [section], null))
    return new Map(names.map(([name, rule]) => [name, this.#rule(rule, [section, name])]))
  }

  #rule(value: unknown, path: Path): AdminRule {
    const { block, refuse, only } = this.#table(value, path, RULE_KEYS)
    if (block !== undefined && typeof block !== 'boolean')
      this.#expected([...path, 'block'], block, 'true or false')
    return {
      blockedAt: block === true ? this.#place([...path, 'block']) : null,
      refuse: refuse === undefined ? [] : this.#list(refuse, [...path, 'refuse'], (text) => text),
      only: only === undefined ? {} : this.#only(only, [...path, 'only']),
    }
  }

  #only(value: unknown, path: Path): AdminRule['only'] {
    const kinds = Object.entries(this.#table(value, path, LIMITED_KINDS))
    return Object.fromEntries(
      kinds.map(([kind, list]) => {
        const at = [...path, kind]
        const rights = this.#list(list, at, (text) => `${kind}:${text}`).map(({ right }) => right)
        return [kind, { rights, place: this.#place(at) }]
      }),
    )
  }

  #list(value: unknown, path: Path, toText: (item: string) => string): { right: Right; place: string }[] {
    if (!Array.isArray(value)) {
      this.#expected(path, value, 'a list')
      return []
    }
    return value.flatMap((item: unknown, index) => {
      const at = [...path, String(index)]
      if (typeof item !== 'string') {
        this.#expected(at, item, 'a text')
        return []
      }
      const rights = parseRights(toText(item))
      if (!('error' in rights)) return rights.map((right) => ({ right, place: this.#place(at) }))
      // It says "grant", which is what permissions of a manifest are about.
      this.#problems.push(`${this.#full(at)}: ${rights.error.replace(/^Cannot grant /, 'Cannot use ')}`)
      return []
    })
  }

  #table(value: unknown, path: Path, known: readonly string[] | null): Table {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.#expected(path, value, 'a map of keys')
      return {}
    }
    for (const key of known === null ? [] : Object.keys(value)) {
      if (!known!.includes(key)) this.#unknown(key, path, known!)
    }
    return value as Table
  }

  #unknown(key: string, path: Path, known: readonly string[]): void {
    const near = nearestName(key, known)
    const where = path.length === 0 ? 'the policy' : `"${path.join('.')}"`
    const advice = near === null ? `Remove it, or use one of ${known.join(', ')}` : `Did you mean "${near}"?`
    const place = this.#yaml.placeOf([...path, key], true)
    this.#problems.push(`${place}: ${quoteText(key)} is no key of ${where}. ${advice}`)
  }

  #expected(path: Path, found: unknown, expected: string): void {
    const name = path.length === 0 ? 'The file' : quoteText(path.join('.'))
    this.#problems.push(
      `${this.#full(path)}: ${name} is ${describeValue(found, path)}, expected ${expected}. Change it`,
    )
  }

  #full(path: Path): string {
    return this.#yaml.placeOf(path, false)
  }

  /** As it is told to whoever asks for a right: the folder is the administrator's own affair. */
  #place(path: Path): string {
    return this.#full(path).replace(this.#file, () => basename(this.#file))
  }
}
