import fs from 'node:fs'
import type { Readable } from 'node:stream'

import type { RunnerPlan } from './plan-runner.ts'

/** More than bubblewrap ever says; a longer text is no status of its. */
const MAX_STATUS_CHARS = 4096

/** Reads `--json-status-fd`: the host's pid of the sandbox's first process, or null when none came to be. */
export function readSandboxPid(status: Readable): Promise<number | null> {
  return new Promise((resolve) => {
    let text = ''
    status.setEncoding('utf8')
    // The object comes in several writes, so the number counts once something stands behind it.
    status.on('data', (chunk: string) => {
      if (text.length < MAX_STATUS_CHARS) text += chunk
      const pid = /"child-pid": (\d+)[,\s}]/.exec(text)?.[1]
      if (pid !== undefined) resolve(Number(pid))
    })
    status.once('error', () => resolve(null))
    status.once('close', () => resolve(null))
  })
}

/**
 * The host's pid of the runner itself, for signals and monitoring; null while it is not there yet, which it is once
 * the runner has said anything. With a reaper the sandbox's first process is bubblewrap's, which ignores SIGTERM, and
 * the runner its first child: those that lost their parent come behind it, and when it ends, all do.
 */
export function findRunnerPid(
  sandboxPid: number,
  { hasReaper }: Pick<RunnerPlan, 'hasReaper'>,
): number | null {
  if (!hasReaper) return sandboxPid
  try {
    const children = fs.readFileSync(`/proc/${sandboxPid}/task/${sandboxPid}/children`, 'utf8')
    const first = Number.parseInt(children, 10)
    return Number.isNaN(first) ? null : first
  } catch {
    // The sandbox ended meanwhile.
    return null
  }
}
