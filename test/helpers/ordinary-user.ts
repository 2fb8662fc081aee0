import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/** Nobody's: no account has it, and user namespaces work for it as for any other. */
const ORDINARY_ID = 64_123

export interface TestUser {
  readonly name: 'root' | 'an ordinary user'
  /** Put before a command line. */
  readonly prefix: readonly string[]
  /** A temporary folder of its own. */
  readonly temporary: string
}

/** This process's own user, and where that is root an ordinary one beside it. `before()` alone may call it. */
export function testUsers(): readonly TestUser[] {
  const own: TestUser = {
    name: process.getuid?.() === 0 ? 'root' : 'an ordinary user',
    prefix: [],
    temporary: os.tmpdir(),
  }
  return own.name === 'root' ? [own, ordinaryUser()] : [own]
}

/** Only root can become somebody else. */
export function ordinaryUser(): TestUser {
  // Short: sockets go below it.
  const temporary = path.join(os.tmpdir(), `u-${ORDINARY_ID}`)
  const ids = [`--reuid=${ORDINARY_ID}`, `--regid=${ORDINARY_ID}`]
  return { name: 'an ordinary user', prefix: ['setpriv', ...ids, '--clear-groups', '--'], temporary }
}

export function makeTemporary({ temporary, prefix }: TestUser): void {
  if (prefix.length === 0) return
  fs.mkdirSync(temporary, { recursive: true, mode: 0o700 })
  fs.chownSync(temporary, ORDINARY_ID, ORDINARY_ID)
}

export function removeTemporary({ temporary, prefix }: TestUser): void {
  if (prefix.length > 0) fs.rmSync(temporary, { recursive: true, force: true })
}

/** Why that user can't run what lies in this checkout; null where it can. */
export function whyNotReadable({ prefix }: TestUser, file: string): string | null {
  if (prefix.length === 0) return null
  for (let folder = path.dirname(fs.realpathSync(file)); ; folder = path.dirname(folder)) {
    if ((fs.statSync(folder).mode & 0o005) !== 0o005) return `only its owner may look into "${folder}"`
    if (folder === path.dirname(folder)) return null
  }
}
