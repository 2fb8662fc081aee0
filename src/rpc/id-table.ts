const FIRST_SLOTS = 64
const NO_ID = -1

/**
 * A map from whole numbers from 0 up, made for ids that count upwards and of which few are open at once. A Map would
 * do; but V8's, when it is rehashed (with such a coming and going: every hundred calls), leaves its old table behind
 * pointing to the new one, and once one of them is old, collections of the young generation keep all that ever was
 * in them: two fifths of what a call allocated survived.
 *
 * Open addressing with linear probing, at most half full, and deletion that closes the gap (Knuth, The Art of
 * Computer Programming, volume 3, 6.4, algorithm R).
 */
export class IdTable<Value> {
  #ids: number[] = emptyIds(FIRST_SLOTS)
  #values: (Value | undefined)[] = emptyValues(FIRST_SLOTS)
  #count = 0

  get size(): number {
    return this.#count
  }

  /** @throws RangeError for what is no id */
  set(id: number, value: Value): void {
    if (!Number.isInteger(id) || id < 0) throw new RangeError(`an id is a whole number from 0 up, not ${id}`)
    if ((this.#count + 1) * 2 > this.#ids.length) this.#resize(this.#ids.length * 2)
    const at = this.#slotOf(id)
    if (this.#ids[at] === NO_ID) this.#count += 1
    this.#ids[at] = id
    this.#values[at] = value
  }

  get(id: number): Value | undefined {
    return this.#values[this.#slotOf(id)]
  }

  delete(id: number): boolean {
    let gap = this.#slotOf(id)
    if (this.#ids[gap] === NO_ID) return false
    this.#count -= 1
    const slots = this.#ids.length
    for (let at = (gap + 1) % slots; this.#ids[at] !== NO_ID; at = (at + 1) % slots) {
      // One that lies in the gap's run, and not past its own first slot, moves up.
      const home = firstSlotOf(this.#ids[at]!, slots)
      if ((at - home + slots) % slots < (at - gap + slots) % slots) continue
      this.#ids[gap] = this.#ids[at]!
      this.#values[gap] = this.#values[at]
      gap = at
    }
    this.#ids[gap] = NO_ID
    this.#values[gap] = undefined
    return true
  }

  clear(): void {
    this.#ids = emptyIds(FIRST_SLOTS)
    this.#values = emptyValues(FIRST_SLOTS)
    this.#count = 0
  }

  *values(): Generator<Value> {
    for (const [at, id] of this.#ids.entries()) if (id !== NO_ID) yield this.#values[at] as Value
  }

  /** The slot that holds the id, or the empty one where it would go. */
  #slotOf(id: number): number {
    const slots = this.#ids.length
    let at = firstSlotOf(id, slots)
    while (this.#ids[at] !== id && this.#ids[at] !== NO_ID) at = (at + 1) % slots
    return at
  }

  #resize(slots: number): void {
    const [ids, values] = [this.#ids, this.#values]
    this.#ids = emptyIds(slots)
    this.#values = emptyValues(slots)
    for (const [from, id] of ids.entries()) {
      if (id === NO_ID) continue
      const at = this.#slotOf(id)
      this.#ids[at] = id
      this.#values[at] = values[from]
    }
  }
}

/** A slot for whatever is asked for, also where it is no id (NaN, 1.5): a search that starts in none would not end. */
function firstSlotOf(id: number, slots: number): number {
  return (id >>> 0) % slots
}

function emptyIds(size: number): number[] {
  return Array.from({ length: size }, () => NO_ID)
}

function emptyValues<Value>(size: number): (Value | undefined)[] {
  return Array.from({ length: size }, () => undefined)
}
