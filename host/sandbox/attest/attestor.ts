import type { AttestationItem } from '../../../src/contract/attestation.ts'
import type { RunnerParams } from '../../../src/contract/runner-methods.ts'
import { compareCanary } from './compare-canary.ts'
import { compareFacts } from './compare-facts.ts'
import { DaemonFacts } from './daemon-facts.ts'
import type { Expected } from './expected.ts'
import { readFacts, readProgram } from './read-facts.ts'

/** How often a process on its way to the runner's program is looked at; it takes some ten milliseconds. */
const LOOK_MS = 3
/** Below it a number may be a process of the sandbox's own. */
const FIRST_FOREIGN_PID = 16

export interface AttestorOptions {
  /** A file that no runner may ever read. */
  readonly forbiddenFile: string
}

/** Reads back from the kernel what holds a runner, and has the runner try what it must not be able to do. */
export class Attestor {
  readonly #options: AttestorOptions
  readonly #daemon = new DaemonFacts()

  constructor(options: AttestorOptions) {
    this.#options = options
  }

  /** To be called right after the spawn: the kernel is read while the runner loads. */
  begin(expected: Expected, findPid: () => number | null): Attestation {
    return new Attestation(expected, { findPid, daemon: this.#daemon, canary: this.#canary(expected) })
  }

  #canary(expected: Expected): RunnerParams['attest'] {
    const isApart = expected.namespaces.includes('pid') && process.pid >= FIRST_FOREIGN_PID
    return { read: this.#options.forbiddenFile, signal: isApart ? process.pid : null }
  }
}

interface AttestationPowers {
  readonly findPid: () => number | null
  readonly daemon: DaemonFacts
  readonly canary: RunnerParams['attest']
}

/** Of one process. */
export class Attestation {
  readonly #expected: Expected
  readonly #powers: AttestationPowers
  /** Null until the runner's program was there to be looked at. */
  #kernel: readonly AttestationItem[] | null = null
  #timer: NodeJS.Timeout | null = null
  #items: readonly AttestationItem[] = []
  #at: Date | null = null

  constructor(expected: Expected, powers: AttestationPowers) {
    this.#expected = expected
    this.#powers = powers
    this.#lookLater()
  }

  /** What the runner is to try before it loads anything. */
  get canary(): RunnerParams['attest'] {
    return this.#powers.canary
  }
  /** When it was complete; null before. */
  get at(): Date | null {
    return this.#at
  }
  get items(): readonly AttestationItem[] {
    return this.#items
  }

  /** The process ended, or will: nothing more is read. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  /**
   * The runner has answered, and no code of the plugin has run.
   *
   * @returns what is not as it was declared
   */
  complete(answer: unknown): readonly AttestationItem[] {
    this.close()
    // A program that loads opens files in passing, and hosts mount things: what differed counts if it still does.
    if (this.#kernel?.some(isDifference)) {
      this.#powers.daemon.renew()
      this.#kernel = null
    }
    this.#look()
    const canary = compareCanary(this.#expected, this.#powers.canary, answer)
    this.#items = [...(this.#kernel ?? [lostProcess(this.#expected)]), ...canary]
    this.#at = new Date()
    return this.#items.filter(isDifference)
  }

  #lookLater(): void {
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#look()
      if (this.#kernel === null) this.#lookLater()
    }, LOOK_MS)
  }

  /** What the chain before the runner's program has, is not what the plugin will have. */
  #look(): void {
    if (this.#kernel !== null) return
    const pid = this.#powers.findPid()
    if (pid === null || readProgram(pid) !== this.#expected.program) return
    this.#kernel = compareFacts(this.#expected, readFacts(pid), this.#powers.daemon)
  }
}

/** Everybody may read the two files: what is missing there is no matter of rights, and does not hold. */
function isDifference({ verdict, proof }: AttestationItem): boolean {
  return (
    verdict === 'differs' ||
    (verdict === 'not_readable' && /^\/proc\/PID\/(?:status|limits)\b/.test(proof ?? ''))
  )
}

function lostProcess({ program }: Expected): AttestationItem {
  return {
    name: 'process',
    declared: program,
    effective: 'not found where the sandbox should have put it',
    mechanism: null,
    proof: '/proc/PID/cmdline',
    verdict: 'differs',
  }
}
