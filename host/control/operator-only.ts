import { statSync } from 'node:fs'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import type { SystemMethod } from '../../src/contract/system-methods.ts'

/** Somebody asked on the applications' socket for what operators alone may. */
export function operatorOnly(method: SystemMethod, adminSocketPath: string): PhantomError {
  return new PhantomError(
    'PERMISSION_DENIED',
    `Cannot call "${method}" on the applications' socket: it is the operators'. Connect to "${adminSocketPath}" ` +
      `instead${ownerOf(adminSocketPath)}`,
    { details: { method, role: 'application', needed_role: 'operator', admin_socket: adminSocketPath } },
  )
}

function ownerOf(path: string): string {
  try {
    return `, which only uid ${statSync(path).uid} and root may open (mode 0600)`
  } catch {
    // It was removed under us: the path alone must do.
    return ''
  }
}
