import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'

/** See machine-id(5): made at random for each machine, and told to nobody outside of it. */
const MACHINE_ID_FILES = ['/etc/machine-id', '/var/lib/dbus/machine-id']

/**
 * Stands for this machine, and gives its id away to nobody. Without one, as in some containers, the name of the host
 * has to do: what comes from elsewhere seldom has it by chance, and somebody may know it.
 */
export function machineOrigin(): string {
  const id = MACHINE_ID_FILES.map(readId).find((text) => text !== '') ?? `host ${hostname()}`
  return createHash('sha256').update(`phantom-ml state\n${id}`).digest('hex')
}

function readId(file: string): string {
  try {
    return readFileSync(file, 'latin1').trim()
  } catch {
    // Not there, or not for us to read.
    return ''
  }
}
