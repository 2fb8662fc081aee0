import type { AttestationItem } from '../../../src/contract/attestation.ts'
import type { RunnerParams } from '../../../src/contract/runner-methods.ts'
import type { Expected } from './expected.ts'

/** What the runner tried before it loaded anything, beside what had to come of it. */
export function compareCanary(
  expected: Expected,
  asked: RunnerParams['attest'],
  answer: unknown,
): AttestationItem[] {
  const { read, signal, node } = Object(answer) as Record<string, unknown>
  return [
    {
      name: 'canary.read',
      declared: "the daemon's state cannot be read",
      mechanism: expected.mechanisms.files,
      ...outcome('open it', read, (code) => code !== ''),
    },
    ...(asked.signal === null
      ? []
      : [
          {
            name: 'canary.signal',
            declared: 'the daemon is no process that it could name',
            mechanism: expected.mechanisms.processes,
            ...outcome('signal it', signal, (code) => code === 'ESRCH'),
          },
        ]),
    {
      name: 'canary.node',
      declared: nodeWords(expected.node),
      mechanism: 'node --permission',
      ...nodeOutcome(expected, node),
    },
  ]
}

type Outcome = Pick<AttestationItem, 'effective' | 'proof' | 'verdict'>

/** The runner says the code of the error that met it, and an empty text where none did. */
function outcome(tried: string, code: unknown, isFine: (code: string) => boolean): Outcome {
  const proof = `canary: tried to ${tried}`
  if (typeof code !== 'string') return { effective: 'no answer', proof, verdict: 'differs' }
  const effective = code === '' ? 'it could' : code.slice(0, 64)
  return { effective, proof, verdict: isFine(code) ? 'holds' : 'differs' }
}

function nodeOutcome({ node }: Expected, said: unknown): Outcome {
  const proof = "canary: asked Node's permission model"
  if (!Array.isArray(said)) return { effective: 'no answer', proof, verdict: 'differs' }
  const granted = said.filter((scope) => typeof scope === 'string')
  const verdict = granted.every((scope) => node.includes(scope)) ? 'holds' : 'differs'
  return { effective: nodeWords(granted), proof, verdict }
}

function nodeWords(granted: readonly string[]): string {
  return granted.length === 0 ? 'grants nothing beside files' : `grants ${granted.join(', ')} beside files`
}
