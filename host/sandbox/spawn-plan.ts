import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import fs from 'node:fs'

import { entryProgram } from './entry/entry-program.ts'
import { openNamelessFile } from './nameless-file.ts'
import { openBind } from './open-bind.ts'
import type { RunnerPlan } from './plan-runner.ts'

/**
 * The one way to start what a plan says. By Node itself: a library in between costs more than a millisecond of a start
 * that takes sixty. Stdio of the child: 0 ignore, 1 and 2 pipes, 3 the channel, and of tier `namespace` 4 the
 * sandbox's status, 5 its entry program, and from 6 on what it mounts. bubblewrap closes the last ones before the runner is.
 *
 * @throws PhantomError PLUGIN_START_FAILED for what was swapped since it was checked, and the system's error where
 * there are no descriptors; where there is no process, the child emits `error`
 */
export function spawnPlan(plan: RunnerPlan): ChildProcess {
  const opened: number[] = []
  try {
    if (plan.entry !== null) opened.push(openNamelessFile(entryProgram(plan.entry)))
    for (const path of plan.binds) opened.push(openBind(path))
    return spawn(plan.file, plan.args, {
      cwd: plan.cwd,
      // The daemon's own environment never reaches a child.
      env: { ...plan.env },
      stdio: [...STREAMS, ...(plan.statusFd === null ? [] : (['pipe'] as const)), ...opened],
    })
  } finally {
    // The child has its own copies.
    for (const descriptor of opened) fs.closeSync(descriptor)
  }
}

const STREAMS: readonly Extract<StdioOptions, unknown[]>[number][] = ['ignore', 'pipe', 'pipe', 'pipe']
