/**
 * Who fetches, where several processes want to at once: the one whose folder is the oldest of the living. A folder is
 * never taken over, and one whose process is gone is removed, so a killed fetch leaves nothing for ever.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readlinkSync } from 'node:fs'
import { readdir, rm, stat, utimes } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'

/** `.fetching-<created, ms>-<process id>-<whose process ids>-<random>` */
const TURN_NAME = /^\.fetching-(\d{13,15})-(\d+)-([0-9a-f]{8})-[0-9a-f]{8}$/
const HEARTBEAT_MS = 2_000
/** Of a process that can't be asked, in another container or on another machine; many heartbeats long. */
const SILENT_MS = 30_000

export interface FetchTurn {
  /** Everything of the fetch lies in it. */
  readonly folder: string
  /** True when nobody who lives asked before. Removes what dead ones left. */
  readonly isFirst: () => Promise<boolean>
  /** Removes the folder with all that is in it. */
  readonly end: () => Promise<void>
}

export function askForTurn(parent: string): FetchTurn {
  const who = [process.pid, pidScope(), randomBytes(4).toString('hex')].join('-')
  const name = `.fetching-${Date.now()}-${who}`
  const folder = path.join(parent, name)
  // At once: who asks between the moment that the name tells and the folder's would not see it, and be first as well.
  mkdirSync(folder, { mode: 0o700 })
  const heart = setInterval(() => {
    const now = new Date()
    void utimes(folder, now, now).catch(() => undefined)
  }, HEARTBEAT_MS)
  heart.unref()
  return {
    folder,
    isFirst: () => isFirst(parent, name),
    end: async () => {
      clearInterval(heart)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function isFirst(parent: string, own: string): Promise<boolean> {
  let answer = true
  for (const other of await readdir(parent)) {
    if (other === own || !TURN_NAME.test(other)) continue
    if (!(await isAlive(parent, other))) await rm(path.join(parent, other), { recursive: true, force: true })
    else if (other < own) answer = false
  }
  return answer
}

async function isAlive(parent: string, name: string): Promise<boolean> {
  const [, , pid = '', scope = ''] = TURN_NAME.exec(name) ?? []
  if (scope === pidScope() && !processExists(Number(pid))) return false
  const found = await stat(path.join(parent, name)).catch(() => null)
  return found !== null && Date.now() - found.mtimeMs < SILENT_MS
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** A home folder may be shared by containers and machines, whose process ids mean other processes. */
function pidScope(): string {
  let namespace = ''
  try {
    namespace = readlinkSync('/proc/self/ns/pid')
  } catch {
    // No Linux: the machine alone tells.
  }
  return createHash('sha256').update(`${os.hostname()} ${namespace}`).digest('hex').slice(0, 8)
}
