import { Attestation, outsidePid } from './attestation.ts'
import type { Gate } from '../entry/gate-steps.ts'
import { DaemonFacts } from './daemon-facts.ts'
import type { Expected } from './expected.ts'
import { LoopbackBait } from './loopback-bait.ts'
import { TriedBefore } from './tried-before.ts'

export interface AttestorOptions {
  /** A file that no runner may ever read. */
  readonly forbiddenFile: string
  /** How long the port that nobody should reach stays open for the next start; 0: not at all. */
  readonly baitKeptMs: number
}

/** Reads back from the kernel what holds a runner, and has the runner try what it must not be able to do. */
export class Attestor {
  readonly #options: AttestorOptions
  readonly #daemon = new DaemonFacts()
  readonly #bait: LoopbackBait
  readonly #tried = new WeakMap<object, Map<string, TriedBefore>>()

  constructor(options: AttestorOptions) {
    this.#options = options
    this.#bait = new LoopbackBait({ keptMs: options.baitKeptMs })
  }

  /**
   * To be called right after the spawn: the kernel is read while the runner loads.
   *
   * @param of whose processes are all started by one plan, a generation
   */
  begin(of: object, expected: Expected, findPid: () => number | null): Attestation {
    const { forbiddenFile } = this.#options
    const triedBefore = this.#triedBefore(of, expected)
    const bait = this.#bait
    return new Attestation(expected, { findPid, daemon: this.#daemon, forbiddenFile, triedBefore, bait })
  }

  /** For a plan. `waits`: its program does not answer `attest` itself. */
  gate({ waits }: Pick<Gate, 'waits'>): Omit<Gate, 'start'> {
    return { read: this.#options.forbiddenFile, signal: outsidePid(), waits }
  }

  /** Rights may change without a new generation. */
  #triedBefore(of: object, { node, namespaces }: Expected): TriedBefore {
    const key = [...node, ...namespaces].join()
    const known = this.#tried.get(of) ?? new Map<string, TriedBefore>()
    this.#tried.set(of, known)
    const tried = known.get(key) ?? new TriedBefore()
    known.set(key, tried)
    return tried
  }
}
