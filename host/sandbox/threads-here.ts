import { availableParallelism } from 'node:os'

/** How many of the threads that a manifest declares a plugin gets on this machine: more than processors compute no faster. */
export function threadsHere(declared: number): number {
  return Math.min(declared, availableParallelism())
}
