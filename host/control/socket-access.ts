import { readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import type { HostConfig } from '../config/config-schema.ts'

/** Who may open a socket's file. */
export interface SocketAccess {
  readonly mode: number
  /** Null: the daemon's own. */
  readonly groupId: number | null
}

/** The operators' socket opens for the daemon's user alone, whatever the configuration says of the other. */
export const OPERATOR_ACCESS: SocketAccess = { mode: 0o600, groupId: null }

/** @throws PhantomError CONFIG_INVALID for a group that this machine does not have */
export function applicationAccess({ socketMode, socketGroup }: HostConfig['daemon']): SocketAccess {
  return {
    mode: Number.parseInt(socketMode, 8),
    groupId: socketGroup === '' ? null : groupIdOf(socketGroup),
  }
}

/** The folders above a socket that keep those out whom its file lets in. */
export function closedFoldersAbove(path: string, { mode, groupId }: SocketAccess): string[] {
  if (mode === OPERATOR_ACCESS.mode) return []
  const closed: string[] = []
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const found = statSync(folder)
    const isOpen =
      (found.mode & 0o001) !== 0 || (mode === 0o660 && (found.mode & 0o010) !== 0 && found.gid === groupId)
    if (!isOpen) closed.push(folder)
    if (folder === dirname(folder)) return closed
  }
}

function groupIdOf(group: string): number {
  if (/^\d{1,9}$/.test(group)) return Number(group)
  const found = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === group)
  if (found?.[2] !== undefined) return Number(found[2])
  throw new PhantomError(
    'CONFIG_INVALID',
    `Cannot open the socket to the group "${group}" (daemon.socket_group): /etc/group has no such group. ` +
      'Make it (groupadd), or write its number',
    { details: { key: 'daemon.socket_group', found: group } },
  )
}
