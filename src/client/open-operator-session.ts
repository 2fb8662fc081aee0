import { statSync } from 'node:fs'
import { isPhantomError, PhantomError } from '../contract/phantom-error.ts'
import { DaemonSession } from './daemon-session.ts'

/**
 * A second connection to the daemon of a session, on the operators' socket.
 *
 * @throws PhantomError PERMISSION_DENIED where this process may not open it
 */
export async function openOperatorSession(session: DaemonSession): Promise<DaemonSession> {
  const { admin_socket: path } = session.handshake
  try {
    return await DaemonSession.open(path, { workspace: session.workspace })
  } catch (error) {
    // A daemon that went away: the session itself says so, in its own words.
    if (session.isClosed || !isPhantomError(error) || error.code !== 'DAEMON_UNREACHABLE') throw error
    throw new PhantomError(
      'PERMISSION_DENIED',
      `Cannot act as operator: uid ${process.getuid?.() ?? 'unknown'} may not open "${path}"` +
        `${ownerOf(path)} (${String(error.details['reason'])}). Run this as that user, or let an operator do it`,
      { cause: error, details: { role: 'application', needed_role: 'operator', admin_socket: path } },
    )
  }
}

function ownerOf(path: string): string {
  try {
    const { uid, mode } = statSync(path)
    return `, which is uid ${uid}'s with mode ${(mode & 0o777).toString(8).padStart(4, '0')}`
  } catch {
    // Not even its folder may be looked into, or it is not there: the path and the reason must do.
    return ''
  }
}
