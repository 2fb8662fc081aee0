import { execFile } from 'node:child_process'
import { MINIMUM_RUNTIME_MAJOR } from '../../contract/version.ts'

/** A cold Node on a busy machine answers `--version` in well under a second; a hung shim never does. */
const PROBE_TIMEOUT_MS = 5_000

/** What was looked at and why it will not do. */
export interface Refused {
  path: string
  found: string
}

/** True for `26.10.0` and newer majors. */
export function isRuntimeVersion(version: string): boolean {
  return Number.parseInt(version, 10) >= MINIMUM_RUNTIME_MAJOR
}

/** Runs it: the version, without the leading `v`, where it is a Node that will do. */
export function probeRuntime(file: string): Promise<{ path: string; version: string } | Refused> {
  return new Promise((resolve) => {
    const options = { timeout: PROBE_TIMEOUT_MS, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 } as const
    execFile(file, ['--version'], options, (error, stdout) => {
      if (error !== null) return resolve({ path: file, found: probeFailure(error) })
      const version = /^v(\d+\.\d+\.\d+\S*)\s*$/.exec(stdout)?.[1]
      if (version === undefined) return resolve({ path: file, found: 'it does not answer as Node does' })
      resolve(
        isRuntimeVersion(version) ? { path: file, version } : { path: file, found: `it is Node ${version}` },
      )
    })
  })
}

function probeFailure(error: {
  code?: string | number | null | undefined
  killed?: boolean | undefined
}): string {
  if (error.code === 'ENOENT') return 'there is no such file'
  if (error.code === 'EACCES') return 'it may not be executed'
  if (error.killed === true) return `it did not answer "--version" within ${PROBE_TIMEOUT_MS / 1000} s`
  return `"--version" failed (${error.code ?? 'killed by a signal'})`
}
