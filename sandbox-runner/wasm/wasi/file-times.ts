import type { BigIntStats } from 'node:fs'

/** `fstflags`. */
const ACCESS = 1
const ACCESS_NOW = 2
const MODIFIED = 4
const MODIFIED_NOW = 8
const NS_PER_SECOND = 1e9

/** The two times that a file is to have, in seconds: given, now, or as they are. */
export function timesOf(
  stat: BigIntStats,
  { accessNs, modifiedNs, which }: { accessNs: bigint; modifiedNs: bigint; which: number },
): [access: number, modified: number] {
  const now = Date.now() / 1000
  const access = (which & ACCESS) !== 0 ? accessNs : stat.atimeNs
  const modified = (which & MODIFIED) !== 0 ? modifiedNs : stat.mtimeNs
  return [
    (which & ACCESS_NOW) !== 0 ? now : Number(BigInt.asUintN(64, access)) / NS_PER_SECOND,
    (which & MODIFIED_NOW) !== 0 ? now : Number(BigInt.asUintN(64, modified)) / NS_PER_SECOND,
  ]
}
