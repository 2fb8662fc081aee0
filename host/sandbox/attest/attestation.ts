import type { AttestationItem } from '../../../src/contract/attestation.ts'
import type { RunnerParams } from '../../../src/contract/runner-methods.ts'
import { type CanaryAnswers, compareCanary } from './compare-canary.ts'
import { compareFacts } from './compare-facts.ts'
import type { DaemonFacts } from './daemon-facts.ts'
import type { Expected } from './expected.ts'
import type { LoopbackBait } from './loopback-bait.ts'
import { readFacts, readProgram } from './read-facts.ts'
import type { TriedBefore } from './tried-before.ts'

/**
 * When a process on its way to the runner's program is looked at, and how often; it takes some ten milliseconds. On one
 * core each look takes its time from that process, and what was not seen by then is read when the canary has answered.
 */
const LOOK_MS = 15
/** Below it a number may be a process of the sandbox's own. */
const FIRST_FOREIGN_PID = 16

interface AttestationPowers {
  readonly findPid: () => number | null
  readonly daemon: DaemonFacts
  /** A file that no runner may ever read. */
  readonly forbiddenFile: string
  readonly triedBefore: TriedBefore
  readonly bait: LoopbackBait
}

/** Of one process: what was read back, and what it tried in vain. */
export class Attestation {
  readonly #expected: Expected
  readonly #powers: AttestationPowers
  readonly #triesBait: boolean
  readonly #reachedBefore: number
  /** Whether the bait is ours to give back. */
  #holdsBait = false
  /** Null until the runner's program was there to be looked at. */
  #kernel: readonly AttestationItem[] | null = null
  #timer: NodeJS.Timeout | null = null
  #items: readonly AttestationItem[] = []
  #at: Date | null = null

  constructor(expected: Expected, powers: AttestationPowers) {
    this.#expected = expected
    this.#powers = powers
    // What the entry program tries costs next to nothing: there each process tries all.
    this.#triesBait =
      expected.canary !== null || (powers.triedBefore.items === null && triesConnect(expected))
    this.#reachedBefore = powers.bait.reached
    this.#lookLater()
  }

  /** When it was complete; null before. */
  get at(): Date | null {
    return this.#at
  }
  get items(): readonly AttestationItem[] {
    return this.#items
  }

  /**
   * Has the entry program or the runner try what must fail, and compares what comes of it and what the kernel says
   * with what was declared.
   * No code of the plugin has run then.
   *
   * @param ask sends `attest`, and throws where no answer comes
   * @returns what is not as it was declared
   */
  async run(
    ask: (params: RunnerParams['attest']) => Promise<{ readonly result: unknown }>,
  ): Promise<readonly AttestationItem[]> {
    const params = await this.#canary()
    const answers = await this.#ask(ask, params)
    this.close()
    // A program that loads opens files in passing, and hosts mount things: what differed counts if it still does.
    if (this.#kernel?.some(isDifference)) {
      this.#powers.daemon.renew()
      this.#kernel = null
    }
    this.#look()
    // Whoever else tries it at this moment is not let through either.
    const asked = { params, reached: this.#triesBait && this.#powers.bait.reached > this.#reachedBefore }
    const canary = compareCanary(this.#expected, asked, answers)
    const { triedBefore } = this.#powers
    triedBefore.add(canary)
    this.#items = [...(this.#kernel ?? [lostProcess(this.#expected)]), ...triedBefore.complete(canary)]
    this.#at = new Date()
    return this.#items.filter(isDifference)
  }

  /** The process ended, or will: nothing more is read. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#holdsBait) this.#powers.bait.release()
    this.#holdsBait = false
  }

  /** The entry program takes the first question and the runner the next: both are sent at once, and wait for each. */
  async #ask(ask: Parameters<Attestation['run']>[0], params: RunnerParams['attest']): Promise<CanaryAnswers> {
    const { canary, isGated } = this.#expected
    if (canary === null || isGated) {
      const { result } = await ask(params)
      return { kernel: result, node: isGated ? null : result }
    }
    const ofNode = { read: canary.read, signal: null, start: false, connect: null }
    const [kernel, node] = await Promise.all([ask(params), ask(ofNode)])
    return { kernel: kernel.result, node: node.result }
  }

  async #canary(): Promise<RunnerParams['attest']> {
    const { namespaces, node, canary } = this.#expected
    const { forbiddenFile, triedBefore } = this.#powers
    const connect = await this.#takeBait()
    // The entry program knows it all but the port, which it takes for the last number.
    if (canary !== null) {
      const { read, signal, start } = canary
      return { read, signal, start, connect }
    }
    return {
      read: forbiddenFile,
      signal: namespaces.includes('pid') ? outsidePid() : null,
      start: triedBefore.items === null && !node.includes('child'),
      connect,
    }
  }

  #takeBait(): Promise<number | null> {
    if (!this.#triesBait) return Promise.resolve(null)
    this.#holdsBait = true
    return this.#powers.bait.take()
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

/** The daemon's own, as a process of a sandbox; null where that may be the number of one of the sandbox's. */
export function outsidePid(): number | null {
  return process.pid >= FIRST_FOREIGN_PID ? process.pid : null
}

/** Who may open sockets, and has the host's network, reaches its loopback. */
function triesConnect({ namespaces, node }: Expected): boolean {
  return namespaces.includes('net') || !node.includes('net')
}

/** What everybody may read, by one way or another: what is missing there is no matter of rights, and does not hold. */
const READABLE = /^(?:uid|groups|no_new_privs|capabilities|seccomp|rlimit\..*|namespace\.(?:mnt|net|pid))$/

function isDifference({ verdict, name }: AttestationItem): boolean {
  return verdict === 'differs' || (verdict === 'not_readable' && READABLE.test(name))
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
