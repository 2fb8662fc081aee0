import { RUNNER_ERRORS } from '../../src/contract/runner-methods.ts'
import type { ErrorDetails } from '../../src/contract/phantom-error.ts'
import type { Answer } from '../../src/rpc/connection.ts'
import { breachRemedy, breachWords, type LimitBreach } from '../execution/limit-error.ts'
import { limitBehind, limitNote } from '../execution/limit-behind.ts'
import type { RunnerInstance } from './runner-instance.ts'

const MEGABYTE = 1024 * 1024

/** What a start that failed has to do with a limit. */
export interface StartLimit {
  /** As the end of a sentence that names the plugin. */
  readonly words: string
  /** `limit`, `declared` and `measured`, where the host saw it met. */
  readonly details: ErrorDetails
}

/** What the answer to a step of a start says of a limit; null where it says nothing of one. */
export function limitAtStart(instance: RunnerInstance, answer: Answer | null): StartLimit | null {
  const error = answer?.error ?? null
  if (error === null) return null
  if (error.code === RUNNER_ERRORS.out_of_memory) return memoryAtStart(instance)
  const behind = limitBehind(instance, error)
  if (behind === null) return null
  return { words: `${error.message}${limitNote(behind)}`, details: behind.isSeen ? { ...behind.breach } : {} }
}

/** Of one that the host ended while it started. */
export function breachAtStart(breach: LimitBreach): StartLimit {
  return { words: `${breachWords(breach)}. ${breachRemedy(breach)}`, details: { ...breach } }
}

/** Of one that was refused memory while it started, or died of it: what was seen of it stands. */
export function memoryAtStart({ figures, generation }: RunnerInstance): StartLimit {
  figures.sampler?.readPeak()
  const declared = generation.limits.maxMemoryMb
  const seenMb = Math.round(figures.peakUsedBytes / MEGABYTE)
  const measured = seenMb === 0 ? null : seenMb
  const held = measured === null ? '' : ` (it held ${measured} MB above an empty runner)`
  return {
    words:
      `it asked for more memory than its limit max_memory_mb = ${declared} allows${held}. ` +
      'Let it load less, or raise the limit in [resource_limits] of its plugin.toml',
    details: { limit: 'max_memory_mb', declared, measured },
  }
}
