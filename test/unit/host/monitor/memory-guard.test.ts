import { expect } from 'chai'
import type { InstanceLane } from '../../../../host/execution/instance-lane.ts'
import { LookClock } from '../../../../host/monitor/look-clock.ts'
import { MemoryGuard } from '../../../../host/monitor/memory-guard.ts'
import { until } from '../../../helpers/daemon.ts'

describe('MemoryGuard', function () {
  this.timeout(20_000)

  for (const [what, isThreaded, inFlightCount] of [
    ['threads', true, 0],
    ['calls', false, 1],
  ] as const) {
    it(`leaves the loop to others, however long a look at a plugin with ${what} takes`, async () => {
      const LOOK_MS = 20
      let looks = 0
      const instance = {
        isThreaded,
        inFlightCount,
        state: 'starting',
        generation: {},
        // Of a plugin with a thousand processes.
        get figures() {
          const endMs = performance.now() + LOOK_MS
          while (performance.now() < endMs);
          looks += 1
          return { hasFamily: false, sampler: null }
        },
      }
      const lane = { instances: () => [instance] } as unknown as InstanceLane
      const clock = new LookClock()
      const guard = new MemoryGuard({ clock, lanes: () => [lane], onActive: () => undefined })
      clock.start()
      try {
        await until(() => looks > 0, 'the first look')
        const [before, startMs] = [looks, performance.now()]
        await until(() => looks >= before + 8, 'some looks more')
        const share = ((looks - before) * LOOK_MS) / (performance.now() - startMs)
        expect(share).to.be.below(0.3)
      } finally {
        guard.close()
        clock.close()
      }
    })
  }
})
