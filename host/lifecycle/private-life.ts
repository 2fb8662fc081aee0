/** A private daemon whose starter never attached ends after this time. */
const FIRST_CLIENT_MS = 10_000

/** Ends a private daemon soon after its last application left. */
export class PrivateLife {
  readonly #lingerMs: number
  readonly #end: () => void
  #timer: NodeJS.Timeout | null

  constructor(options: { lingerMs: number; end: () => void }) {
    this.#lingerMs = options.lingerMs
    this.#end = options.end
    this.#timer = setTimeout(options.end, FIRST_CLIENT_MS)
  }

  clientsChanged(count: number): void {
    this.close()
    if (count === 0) this.#timer = setTimeout(this.#end, this.#lingerMs)
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}
