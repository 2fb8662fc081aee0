import { loadLibc, type Signature } from '../libc/load-libc.ts'

const PR_SET_PDEATHSIG = 1
const SIGTERM = 15
const PRCTL: Signature = { arguments: ['i32', 'u64', 'u64', 'u64', 'u64'], return: 'i32' }

/**
 * Has the kernel send this process SIGTERM when the one that started it is gone, SIGKILL included, which nobody can pass
 * on (prctl(2), PR_SET_PDEATHSIG). Where libc can't be called it outlives a starter that is killed.
 *
 * @param starterPid who should have started it
 * @returns false where that one is gone already
 */
export function endWithStarter(starterPid: number): boolean {
  try {
    loadLibc({ prctl: PRCTL })?.prctl(PR_SET_PDEATHSIG, BigInt(SIGTERM), 0n, 0n, 0n)
  } catch {
    // Another signature in another version of Node: no reason not to serve.
  }
  // Gone before the call, it would be missed for ever.
  return process.ppid === starterPid
}
