import { canonicalHost, type CanonicalHost } from './canonical-host.ts'

/** What a plugin may reach, as one entry of its `network:` permission says it. */
export interface HostRule {
  /** As it stands in the manifest. */
  readonly text: string
  /** `any` is every host; `below` is every name below the suffix and not the suffix itself. */
  readonly kind: 'any' | 'below' | 'exact'
  /** Canonical; of `any` empty. */
  readonly host: string
  readonly ports: readonly number[]
}

/** Where a request goes. */
export interface Target {
  readonly host: CanonicalHost
  readonly port: number
}

/** A rule without a port means the web's two, and no other. */
const DEFAULT_PORTS: readonly number[] = [80, 443]

/** Whether a rule without a port means it. */
export function isDefaultPort(port: number): boolean {
  return DEFAULT_PORTS.includes(port)
}

const RULE = /^(\*|(?:\*\.)?[^*:[\]]+|\[[^\]]*\])(?::([0-9]{1,5}))?$/
const MAX_PORT = 65_535

/** Reads the normalised rules of a policy. One that can't be read grants nothing. */
export function parseHostRules(texts: readonly string[]): HostRule[] {
  return texts.flatMap((text) => parseHostRule(text) ?? [])
}

/** The first rule that grants the target; null where none does. */
export function ruleFor(rules: readonly HostRule[], target: Target): HostRule | null {
  return rules.find((rule) => grants(rule, target)) ?? null
}

/** Whether the manifest names this very address: only so is one reached that lies in no public network. */
export function namesAddress(rules: readonly HostRule[], address: CanonicalHost, port: number): boolean {
  return rules.some(
    ({ kind, host, ports }) => kind === 'exact' && host === address.text && ports.includes(port),
  )
}

function parseHostRule(text: string): HostRule | null {
  const [, name, port] = RULE.exec(text) ?? []
  if (name === undefined) return null
  const ports = port === undefined ? DEFAULT_PORTS : [Number(port)]
  if (ports.some((number) => number < 1 || number > MAX_PORT)) return null
  if (name === '*') return { text, kind: 'any', host: '', ports }
  const isBelow = name.startsWith('*.')
  const host = canonicalHost(isBelow ? name.slice(2) : name)
  if ('refused' in host || (isBelow && host.kind !== 'name')) return null
  return { text, kind: isBelow ? 'below' : 'exact', host: host.text, ports }
}

function grants({ kind, host, ports }: HostRule, target: Target): boolean {
  if (!ports.includes(target.port)) return false
  switch (kind) {
    case 'any':
      return true
    case 'exact':
      return target.host.text === host
    case 'below':
      return target.host.kind === 'name' && target.host.text.endsWith(`.${host}`)
  }
}
