import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import type { EgressDoor } from '../egress/egress-doors.ts'
import type { StartedProcess } from '../spawn/started-process.ts'

/**
 * Has the door accept at the socket that a sandbox's entry program passed (`listenerSteps`). To be called when the
 * process has answered for the first time, which is behind that, and before any code of the plugin is there.
 *
 * @returns why there is no way out; null where there is, and where none is to be
 */
export async function openWayOut(
  child: Pick<StartedProcess, 'takeListener'>,
  door: EgressDoor | null,
  timeoutMs: number,
): Promise<PhantomError | null> {
  if (door === null) return null
  const listener = await child.takeListener(timeoutMs)
  try {
    if (listener === null) throw new Error('the sandbox passed no socket for it')
    await door.listen(listener)
    return null
  } catch (cause) {
    return new PhantomError(
      'SANDBOX_UNAVAILABLE',
      `Cannot open the way to the network: ${messageOf(cause)}. Run "phantom doctor"`,
      { cause },
    )
  }
}
