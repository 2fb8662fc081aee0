/**
 * The user's own npm fetches: so registry, scopes, tokens, proxy and certificates are what that user configured, and no
 * secret passes through our hands.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fetchError, failureOfCode } from './fetch-failure.ts'
import type { PinnedPackage } from './pinned-runtime.ts'

/** Some 57 MB: a slow line may take its time, a hung npm must not hold anybody for ever. */
const PACK_TIMEOUT_MS = 30 * 60_000
/** npm lists the 2,818 files of the package. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024
/** Of a project's or a script's npm: they would make it pack something else, or nothing. */
const OTHER_MEANING =
  /^npm_config_(workspaces?|include_workspace_root|dry_run|global|location|prefix|local_prefix)$/i

/** The npm on PATH, or the one that came with the Node that runs this; null where there is none. */
export function findNpm(): string | null {
  const onPath = (process.env['PATH'] ?? '').split(path.delimiter).filter((folder) => path.isAbsolute(folder))
  const folders = [...onPath, path.dirname(process.execPath)]
  return folders.map((folder) => path.join(folder, 'npm')).find((file) => existsSync(file)) ?? null
}

/**
 * Runs in `folder`, where nothing but ours lies: a project's `.npmrc` has no say about where a token is sent.
 * @returns the tarball, as the registry served it
 * @throws PhantomError RUNTIME_NOT_FOUND
 */
export async function packByNpm(
  npm: string,
  pinned: PinnedPackage,
  folder: string,
  signal?: AbortSignal,
): Promise<string> {
  // npm takes the next folder upwards with a package.json for the project.
  await writeFile(path.join(folder, 'package.json'), '{}\n')
  const answer = await runNpm(npm, argumentsFor(pinned, folder), folder, signal)
  if (answer.problem === null) {
    const [tarball] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'))
    if (tarball !== undefined) return path.join(folder, tarball)
  }
  if (signal?.aborted === true) throw signal.reason
  if (answer.isTimeout) {
    const found = `npm was not done after ${PACK_TIMEOUT_MS / 60_000} minutes`
    throw fetchError(pinned, 'timeout', found)
  }
  const { code, summary } = errorOf(answer.stdout, answer.stderr)
  const words = summary === '' ? (answer.problem ?? 'it wrote no tarball') : summary
  throw fetchError(pinned, failureOfCode(code), `npm says ${code === '' ? '' : `${code}: `}${words}`)
}

function argumentsFor({ name, version }: PinnedPackage, folder: string): string[] {
  return [
    'pack',
    `${name}@${version}`,
    '--json',
    `--pack-destination=${folder}`,
    '--ignore-scripts',
    '--no-progress',
    '--no-update-notifier',
    // By default npm waits for 10 s and then for 60 s before it says that nobody answers.
    '--fetch-retry-mintimeout=1000',
    '--fetch-retry-maxtimeout=5000',
  ]
}

interface NpmAnswer {
  stdout: string
  stderr: string
  /** Null when it exited with 0. */
  problem: string | null
  isTimeout: boolean
}

function runNpm(npm: string, args: string[], cwd: string, signal?: AbortSignal): Promise<NpmAnswer> {
  const options = {
    cwd,
    env: environment(npm),
    timeout: PACK_TIMEOUT_MS,
    maxBuffer: MAX_OUTPUT_BYTES,
  }
  return new Promise((resolve) => {
    const child = execFile(npm, args, options, (error, stdout, stderr) => {
      signal?.removeEventListener('abort', end)
      const isTimeout = error?.killed === true && signal?.aborted !== true
      resolve({ stdout, stderr, problem: error === null ? null : ownWords(error), isTimeout })
    })
    // Not by the option `signal`, which does not wait for the end: npm would write into a folder that is being removed.
    const end = (): void => void child.kill()
    if (signal?.aborted === true) end()
    else signal?.addEventListener('abort', end)
    // Nobody is there to answer a question.
    child.stdin?.end()
  })
}

/** Not `error.message`: that is the whole command line and all of stderr. */
function ownWords(error: { code?: string | number | null; signal?: NodeJS.Signals | null }): string {
  return `it ended with ${error.signal ?? error.code ?? 'a failure'}`
}

function environment(npm: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !OTHER_MEANING.test(name))
  // `#!/usr/bin/env node`, where npm was found beside a Node that is not on PATH.
  const searched = [process.env['PATH'] ?? '', path.dirname(npm)].join(path.delimiter)
  return { ...Object.fromEntries(kept), PATH: searched }
}

/** With `--json` npm prints `{"error":{"code","summary","detail"}}`; an old one may say it in words alone. */
function errorOf(stdout: string, stderr: string): { code: string; summary: string } {
  try {
    const { error } = JSON.parse(stdout) as { error?: { code?: string; summary?: string } }
    if (typeof error?.code === 'string') return { code: error.code, summary: error.summary ?? '' }
  } catch {
    // Words, then.
  }
  const code = /^npm (?:error|ERR!) code (\S+)$/m.exec(stderr)?.[1] ?? ''
  const lines = stderr
    .split('\n')
    .filter((line) => /^npm (?:error|ERR!)/.test(line) && !/ code \S+$/.test(line))
  return { code, summary: (lines[0] ?? stderr.trim().split('\n')[0] ?? '').replace(/^npm \S+ /, '') }
}
