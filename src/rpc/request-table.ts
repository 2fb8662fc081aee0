import type { RequestId } from './connection.ts'
import { IdTable } from './id-table.ts'

/** What is open under ids that a peer chose: numbers that count upwards, as ours do, or anything else it likes. */
export class RequestTable<Value> {
  readonly #counted = new IdTable<Value>()
  readonly #others = new Map<RequestId, Value>()

  set(id: RequestId, value: Value): void {
    if (isCounted(id)) this.#counted.set(id, value)
    else this.#others.set(id, value)
  }

  get(id: RequestId): Value | undefined {
    return isCounted(id) ? this.#counted.get(id) : this.#others.get(id)
  }

  delete(id: RequestId): boolean {
    return isCounted(id) ? this.#counted.delete(id) : this.#others.delete(id)
  }

  *values(): Generator<Value> {
    yield* this.#counted.values()
    yield* this.#others.values()
  }
}

function isCounted(id: RequestId): id is number {
  return typeof id === 'number' && Number.isSafeInteger(id) && id >= 0
}
