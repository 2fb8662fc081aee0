import { spawn, type ChildProcess } from 'node:child_process'
import fs from 'node:fs'

import type { RunnerPlan } from './plan-runner.ts'
import { openFilter } from './seccomp/filter-file.ts'

/**
 * The one way to start what a plan says. By Node itself: a library in between costs more than a millisecond of a start
 * that takes sixty. Stdio of the child: 0 ignore, 1 and 2 pipes, 3 the channel, and of tier `namespace` 4 the
 * sandbox's status and 5 its filter.
 *
 * @throws the system's error where there are no descriptors; where there is no process, the child emits `error`
 */
export function spawnPlan(plan: RunnerPlan): ChildProcess {
  const filter = plan.filter === null ? null : openFilter(plan.filter)
  try {
    return spawn(plan.file, plan.args, {
      cwd: plan.cwd,
      // The daemon's own environment never reaches a child.
      env: { ...plan.env },
      stdio: [
        'ignore',
        'pipe',
        'pipe',
        'pipe',
        ...(plan.statusFd === null ? [] : (['pipe'] as const)),
        ...(filter === null ? [] : [filter]),
      ],
    })
  } finally {
    // The child has its own copy.
    if (filter !== null) fs.closeSync(filter)
  }
}
