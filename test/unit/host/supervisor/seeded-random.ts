/** Another start makes other sequences; a failure names the seed that repeats it alone. */
const FIRST_SEED = Number(process.env['PHANTOM_TEST_SEED'] ?? 1)

/** mulberry32: 32 bits of state, the same numbers everywhere. */
export class SeededRandom {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** From 0 up to, not including, 1. */
  readonly next = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  chance(share: number): boolean {
    return this.next() < share
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!
  }
}

/** Runs `sequence` with so many seeds; what it throws names the seed. */
export function forSeeds(count: number, sequence: (random: SeededRandom, seed: number) => void): void {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + count; seed += 1) {
    try {
      sequence(new SeededRandom(seed), seed)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      throw new Error(`With seed ${seed} (PHANTOM_TEST_SEED=${seed}): ${message}`, { cause: error })
    }
  }
}

/** A law: chai's expectations cost too much for millions of them. */
export function holds(law: boolean, words: string): asserts law {
  if (!law) throw new Error(`it does not hold that ${words}`)
}
