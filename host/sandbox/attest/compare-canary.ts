import { getSystemErrorName } from 'node:util'
import type { AttestationItem } from '../../../src/contract/attestation.ts'
import type { RunnerParams } from '../../../src/contract/runner-methods.ts'
import type { Expected } from './expected.ts'

/** What a canary was asked to try, and whether anybody came to the port that it was to connect to. */
export interface Asked {
  readonly params: RunnerParams['attest']
  readonly reached: boolean
}

/** What was said of the attempts, and by the runner of Node's model: one answer, where the runner tried it all. */
export interface CanaryAnswers {
  readonly kernel: unknown
  readonly node: unknown
}

/** What was tried before anything of the plugin was there, beside what had to come of it. */
export function compareCanary(expected: Expected, asked: Asked, answers: CanaryAnswers): AttestationItem[] {
  const { mechanisms, canary, isGated } = expected
  const { params, reached } = asked
  const said = saidIn(answers.kernel, canary !== null)
  const tries: Try[] = [
    {
      name: 'canary.read',
      declared: "the daemon's state cannot be read",
      mechanism: mechanisms.files,
      tried: 'open it',
      code: said['read'],
      isFine: (code) => code !== '',
    },
  ]
  if (params.signal !== null) {
    tries.push({
      name: 'canary.signal',
      declared: 'the daemon is no process that it could name',
      mechanism: mechanisms.processes,
      tried: 'signal it',
      code: said['signal'],
      isFine: (code) => code === 'ESRCH',
    })
  }
  if (params.connect !== null) {
    tries.push({
      name: 'canary.connect',
      declared: "the host's loopback cannot be reached",
      mechanism: mechanisms.network,
      tried: 'connect to a port where the daemon listened',
      code: reached ? '' : said['connect'],
      isFine: (code) => code !== '',
    })
  }
  if (params.start) {
    tries.push({
      name: 'canary.start',
      declared: 'no program can be started',
      mechanism: mechanisms.processes,
      tried: 'start one',
      code: said['start'],
      // Any other failure would come of a process that was made.
      isFine: (code) => code === 'ERR_ACCESS_DENIED' || code === 'EPERM',
    })
  }
  return [...tries.map(itemOf), ...(isGated ? [] : [nodeItem(expected, answers)])]
}

/** The entry program says the numbers of errors, as three digits. */
function saidIn(answer: unknown, isByNumber: boolean): Record<string, unknown> {
  const said = Object(answer) as Record<string, unknown>
  if (!isByNumber) return said
  return Object.fromEntries(Object.entries(said).map(([name, value]) => [name, nameOfNumber(value)]))
}

function nameOfNumber(value: unknown): unknown {
  if (typeof value !== 'string' || !/^\d{3}$/.test(value)) return null
  return value === '000' ? '' : getSystemErrorName(-Number(value))
}

interface Try extends Pick<AttestationItem, 'name' | 'declared' | 'mechanism'> {
  readonly tried: string
  readonly code: unknown
  readonly isFine: (code: string) => boolean
}

/** A code is that of the error that met the attempt, and an empty text where none did. */
function itemOf({ name, declared, mechanism, tried, code, isFine }: Try): AttestationItem {
  const shared = { name, declared, mechanism, proof: `canary: tried to ${tried}` }
  if (typeof code !== 'string') return { ...shared, effective: 'no answer', verdict: 'differs' }
  const effective = code === '' ? 'it could' : code.slice(0, 64)
  return { ...shared, effective, verdict: isFine(code) ? 'holds' : 'differs' }
}

function nodeItem({ node }: Expected, { kernel, node: answer }: CanaryAnswers): AttestationItem {
  const { node: said, read } = Object(answer) as Record<string, unknown>
  const shared = {
    name: 'canary.node',
    declared: nodeWords(node),
    mechanism: 'node --permission',
    proof: "canary: asked Node's permission model",
  }
  if (!Array.isArray(said)) return { ...shared, effective: 'no answer', verdict: 'differs' }
  const granted = said.filter((scope) => typeof scope === 'string')
  // Where one answer is all, that attempt has an item of its own.
  if (answer !== kernel && (typeof read !== 'string' || read === ''))
    return { ...shared, effective: "it could read the daemon's state", verdict: 'differs' }
  const verdict = granted.every((scope) => node.includes(scope)) ? 'holds' : 'differs'
  return { ...shared, effective: nodeWords(granted), verdict }
}

function nodeWords(granted: readonly string[]): string {
  return granted.length === 0 ? 'grants nothing beside files' : `grants ${granted.join(', ')} beside files`
}
