import type { RunnerInstance } from '../process/runner-instance.ts'
import type { Execution } from './execution.ts'
import type { LanePowers } from './lane-powers.ts'

/** Calls that left the queue and were not handed out: their client takes no answers, or their input is looked at. */
export class SetAside {
  readonly #calls = new Set<Execution>()
  #checking = 0

  get size(): number {
    return this.#calls.size
  }
  /** Calls whose input is looked at: each has its place in the process already. */
  get checking(): number {
    return this.#checking
  }

  /** False where it is not among them. */
  delete(execution: Execution): boolean {
    return this.#calls.delete(execution)
  }

  /** Takes all of them out. */
  drain(): Execution[] {
    const all = [...this.#calls]
    this.#calls.clear()
    return all
  }

  /** Sets a call aside whose client does not take its answers; false where it does. */
  park(execution: Execution, back: () => void): boolean {
    const resume = (): void => {
      if (this.#calls.delete(execution)) back()
    }
    if (!execution.call.park(resume)) return false
    this.#calls.add(execution)
    return true
  }

  /** Sets a call aside whose process does not check its input by itself; false where nothing is to be checked. */
  check(
    execution: Execution,
    { spec, generation }: RunnerInstance,
    then: { readonly checkInput: LanePowers['checkInput']; readonly back: (isWanted: boolean) => void },
  ): boolean {
    const rule = spec.inputRules?.get(execution.call.operation)
    if (rule === undefined || execution.checkedBy === generation) return false
    this.#calls.add(execution)
    this.#checking += 1
    void then.checkInput(execution, { rule, generation }).then(() => {
      this.#checking -= 1
      then.back(this.#calls.delete(execution))
    })
    return true
  }
}
