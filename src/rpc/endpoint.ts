import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import type { SocketRole } from '../contract/method-roles.ts'

/** sockaddr_un's `sun_path` holds 108 bytes, the last of them NUL (unix(7)). */
const MAX_SOCKET_PATH_BYTES = 107
const SOCKET_NAMES = { application: 'phantom.sock', operator: 'phantom-admin.sock' } as const

/** Beside plugin directories: it holds the state folder of each. */
export const STATE_PARENT = '.phantom'

/**
 * The one state folder of a plugin directory: `.phantom/<name>` beside it, so that two plugin directories with one
 * parent keep apart.
 */
export function stateDirectoryOf(pluginDirectory: string): string {
  const directory = resolve(pluginDirectory)
  return join(dirname(directory), STATE_PARENT, basename(directory))
}

/**
 * Where the daemon of a state folder listens for each role: in that folder, or under a hashed name where the path is
 * too long.
 */
export function socketPathOf(stateDirectory: string, role: SocketRole = 'application'): string {
  const path = join(resolve(stateDirectory), SOCKET_NAMES[role])
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES) return path
  const name = createHash('sha256').update(path).digest('hex').slice(0, 24)
  return join(runtimeDirectory(), `${name}.sock`)
}

/** A short folder of this user's own; the daemon makes it with mode 0700 and refuses one that is another's. */
function runtimeDirectory(): string {
  const xdg = process.env['XDG_RUNTIME_DIR']
  return xdg !== undefined && xdg.startsWith('/') && Buffer.byteLength(xdg) < 60
    ? join(xdg, 'phantom')
    : join(tmpdir().length < 40 ? tmpdir() : '/tmp', `phantom-runtime-${ownUid()}`)
}

/** Not by `userInfo()`, which throws where no account has this uid, as in many containers. */
function ownUid(): number {
  return process.getuid?.() ?? 0
}
