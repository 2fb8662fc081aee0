import { nodeSpawn } from './node-spawn.ts'
import type { ProcessRequest, StartedProcess } from './started-process.ts'
import { VforkSpawn } from './vfork-spawn.ts'

let vforkSpawn: VforkSpawn | null | undefined

/**
 * The one way in which the host starts what holds a plugin. On the daemon's main thread: bubblewrap ends with the
 * thread that started it (PDEATHSIG, prctl(2)).
 *
 * @throws Error with the system's code, or `NO_PROCESS` where the system gave none
 */
export function startProcess(request: ProcessRequest): StartedProcess {
  if (vforkSpawn === undefined) vforkSpawn = VforkSpawn.load()
  return vforkSpawn?.start(request) ?? nodeSpawn(request)
}
