/** Where there is no npm: the public registry, or the one of `npm_config_registry`, without tokens and without a proxy. */
import { open } from 'node:fs/promises'
import path from 'node:path'
import { isPhantomError, messageOf } from '../../contract/phantom-error.ts'
import { codeOf, failureOfCode, fetchError } from './fetch-failure.ts'
import type { PinnedPackage } from './pinned-runtime.ts'

const DEFAULT_REGISTRY = 'https://registry.npmjs.org/'
/** The pinned ones have 53 to 57 MB. */
export const MAX_TARBALL_BYTES = 128 * 1024 * 1024
const SILENT_TIMEOUT_MS = 60_000
const PROXY_VARIABLES = ['HTTPS_PROXY', 'https_proxy', 'npm_config_https_proxy', 'npm_config_proxy']

export interface GetOptions {
  signal?: AbortSignal | undefined
  /** Between 0 and 1. */
  onFraction?: (fraction: number) => void
}

/** @returns the tarball @throws PhantomError RUNTIME_NOT_FOUND */
export async function getByHttps(
  pinned: PinnedPackage,
  folder: string,
  options: GetOptions = {},
): Promise<string> {
  const proxy = PROXY_VARIABLES.find((name) => (process.env[name] ?? '') !== '')
  if (proxy !== undefined) {
    const found = `${proxy} names a proxy, which is spoken to by npm alone, and npm is not on PATH`
    throw fetchError(pinned, 'proxy', found)
  }
  const file = path.join(folder, 'package.tgz')
  const registry = process.env['npm_config_registry'] ?? DEFAULT_REGISTRY
  try {
    const { name, version } = pinned
    const url = new URL(
      `${name}/-/${name}-${version}.tgz`,
      registry.endsWith('/') ? registry : `${registry}/`,
    )
    await download(pinned, url, file, options)
    return file
  } catch (error) {
    if (options.signal?.aborted === true) throw options.signal.reason
    if (isPhantomError(error)) throw error
    const reason = causeOf(error)
    throw fetchError(pinned, failureOfCode(reason.code), `${registry}: ${reason.words}`, error)
  }
}

async function download(
  pinned: PinnedPackage,
  url: URL,
  file: string,
  { signal, onFraction }: GetOptions,
): Promise<void> {
  const silence = new AbortController()
  const timer = setTimeout(() => silence.abort(new SilenceError()), SILENT_TIMEOUT_MS)
  const output = await open(file, 'wx', 0o600)
  try {
    const response = await fetch(url, {
      signal: signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal]),
    })
    if (!response.ok || response.body === null) {
      const found = `${url.origin} answers ${response.status} for ${url.pathname}`
      throw fetchError(pinned, failureOfCode(`E${response.status}`), found)
    }
    const expected = Number(response.headers.get('content-length'))
    let bytes = 0
    for await (const chunk of response.body) {
      timer.refresh()
      bytes += chunk.length
      if (bytes > MAX_TARBALL_BYTES) throw tooLarge(pinned)
      await output.writeFile(chunk)
      if (expected > 0) onFraction?.(bytes / expected)
    }
  } finally {
    clearTimeout(timer)
    await output.close()
  }
}

export function tooLarge(pinned: PinnedPackage): Error {
  return fetchError(
    pinned,
    'archive',
    `it is larger than ${MAX_TARBALL_BYTES} bytes, which no such package is`,
  )
}

class SilenceError extends Error {
  readonly code = 'ETIMEDOUT'
  override readonly message = `nothing came for ${SILENT_TIMEOUT_MS / 1000} s`
}

/** `fetch failed` says nothing: its cause does. */
function causeOf(error: unknown): { code: string; words: string } {
  const { cause } = error as { cause?: unknown }
  const said = cause ?? error
  return { code: codeOf(said), words: messageOf(said) }
}
