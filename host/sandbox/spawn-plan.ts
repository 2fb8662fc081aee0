import fs from 'node:fs'
import type { Duplex } from 'node:stream'

import { startProcess } from '../spawn/start-process.ts'
import type { StartedProcess } from '../spawn/started-process.ts'
import { entryProgram } from './entry/entry-program.ts'
import { openNamelessFile } from './nameless-file.ts'
import { openBind } from './open-bind.ts'
import type { RunnerPlan } from './plan-runner.ts'

/** stdout, stderr and the channel. */
const CHANNELS = 3

/** A process that a plan started, with its streams. */
export interface SpawnedPlan {
  readonly process: StartedProcess
  readonly stdout: Duplex
  readonly stderr: Duplex
  /** The private IPC channel, fd 3 inside. */
  readonly channel: Duplex
  /** Where the sandbox reports its process, see `readSandboxStatus`; null without a sandbox. */
  readonly status: Duplex | null
}

/**
 * The one way to start what a plan says. Stdio of the child: 0 nothing, 1 and 2 pipes, 3 the channel, and of tier
 * `namespace` 4 the sandbox's status, 5 its entry program, and from 6 on what it mounts. bubblewrap closes the last ones
 * before the runner is. Behind them, where a listener is passed, the channel for it, which the entry program closes.
 *
 * @throws PhantomError PLUGIN_START_FAILED for what was swapped since it was checked, and the error of `startProcess`
 *   where the system has no descriptors or no process
 */
export function spawnPlan(plan: RunnerPlan): SpawnedPlan {
  const opened: number[] = []
  try {
    if (plan.entry !== null) opened.push(openNamelessFile(entryProgram(plan.entry)))
    for (const path of plan.binds) opened.push(openBind(path))
    const { file, args, cwd, env, passesListener } = plan
    const channels = CHANNELS + (plan.statusFd === null ? 0 : 1)
    // The daemon's own environment never reaches a child.
    const process = startProcess({ file, args, cwd, env, channels, inherited: opened, passesListener })
    const [stdout, stderr, channel, status] = process.channels as readonly Duplex[] as [
      Duplex,
      Duplex,
      Duplex,
      Duplex?,
    ]
    return { process, stdout, stderr, channel, status: status ?? null }
  } finally {
    // The child has its own copies.
    for (const descriptor of opened) fs.closeSync(descriptor)
  }
}
