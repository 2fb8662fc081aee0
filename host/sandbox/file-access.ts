import fs from 'node:fs'
import path from 'node:path'

import type { IsolationTier } from '../../src/contract/life.ts'
import type { RunnerIdentity } from './identity.ts'
import { ancestors } from './paths.ts'

export interface AccessQuestion {
  readonly path: string
  readonly right: 'read' | 'write'
  readonly identity: RunnerIdentity
  readonly tier: IsolationTier
}

/**
 * Why ordinary file permissions stop a runner whose uid is not the daemon's, or null. Looks at owner and mode
 * alone: an access control list may say otherwise, and then the sentence is wrong on the careful side.
 */
export function explainDeniedAccess({ path: target, right, identity, tier }: AccessQuestion): string | null {
  const stat = fs.statSync(target, { throwIfNoEntry: false })
  // It went away since it was found: the kernel will say so when it is mounted.
  if (stat === undefined) return null
  const folder = stat.isDirectory()
  const wanted = right === 'read' ? (folder ? 0o5 : 0o4) : folder ? 0o7 : 0o6
  if (!allows(stat, identity, wanted)) return describe(target, stat, right, identity)
  // Inside a mount namespace the folders above are made anew, open to everybody.
  if (tier === 'namespace') return null
  for (const above of ancestors(target)) {
    const outer = fs.statSync(above)
    if (!allows(outer, identity, 0o1)) return describe(above, outer, 'enter', identity)
  }
  return null
}

function allows(stat: fs.Stats, { uid, gid }: RunnerIdentity, wanted: number): boolean {
  const shift = stat.uid === uid ? 6 : stat.gid === gid ? 3 : 0
  return ((stat.mode >> shift) & wanted) === wanted
}

function describe(
  target: string,
  stat: fs.Stats,
  right: 'read' | 'write' | 'enter',
  { uid, gid }: RunnerIdentity,
): string {
  const mode = (stat.mode & 0o7777).toString(8).padStart(4, '0')
  const participle = { read: 'readable', write: 'writable', enter: 'open' }[right]
  const letters = { read: 'rX', write: 'rwX', enter: 'x' }[right]
  return (
    `"${target}" is owned by uid ${stat.uid}, gid ${stat.gid}, mode ${mode}: not ${participle} for uid ${uid}, gid ${gid}, ` +
    `as which the plugin runs. Run the daemon as the owner of "${path.dirname(target)}", or: chmod -R o+${letters} "${target}"`
  )
}
