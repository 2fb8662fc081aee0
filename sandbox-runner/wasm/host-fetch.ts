import { misuse } from './host-call-misuse.ts'

/** setTimeout takes no more; every deadline is nearer. */
export const MAX_TIMER_MS = 2_147_483_647

interface FetchOptions {
  readonly body: Buffer | null
  /** Of the call; null while none runs. */
  readonly signal: AbortSignal | null
  readonly maxBodyBytes: number
}

interface Fetched {
  readonly result: { readonly status: number; readonly headers: Readonly<Record<string, string>> }
  readonly payload: Uint8Array
}

/**
 * Asks a server by the way that every runner has: Node's own `fetch`, which goes through the daemon's proxy. What was
 * not granted is refused there, or by Node's permission model.
 */
export async function hostFetch(
  { url, method = 'GET', headers = {}, timeout_ms: timeoutMs }: Readonly<Record<string, unknown>>,
  { body, signal, maxBodyBytes }: FetchOptions,
): Promise<Fetched> {
  if (typeof url !== 'string' || !URL.canParse(url)) throw misuse('fetch', 'a url', url)
  if (typeof method !== 'string') throw misuse('fetch', 'a method that is text', method)
  if (!isHeaders(headers)) throw misuse('fetch', 'headers that are texts', headers)
  if (timeoutMs !== undefined && !(typeof timeoutMs === 'number' && timeoutMs > 0))
    throw misuse('fetch', 'a timeout_ms above 0', timeoutMs)
  const signals = [
    ...(signal === null ? [] : [signal]),
    ...(timeoutMs === undefined ? [] : [AbortSignal.timeout(Math.min(timeoutMs, MAX_TIMER_MS))]),
  ]
  try {
    const response = await fetch(url, {
      method,
      headers,
      // The plugin's memory is its own again before the request has left.
      body: body === null ? null : new Uint8Array(body),
      ...(signals.length === 0 ? {} : { signal: AbortSignal.any(signals) }),
    })
    const payload = await readBody(response, { url, maxBodyBytes })
    return { result: { status: response.status, headers: headersOf(response) }, payload }
  } catch (error) {
    throw withCause(error)
  }
}

/** Only cookies come in lines of one name, which no comma joins: their values have commas. */
function headersOf(response: Response): Record<string, string> {
  const headers = Object.fromEntries(response.headers)
  const cookies = response.headers.getSetCookie()
  return cookies.length === 0 ? headers : { ...headers, 'set-cookie': cookies.join('\n') }
}

/** Node's own words are `fetch failed` or `terminated`: why stands in a cause, and causes do not reach the plugin. */
function withCause(error: unknown): unknown {
  if (!(error instanceof TypeError) || !(error.cause instanceof Error)) return error
  return new TypeError(`${error.message}: ${error.cause.message}`, { cause: error.cause })
}

async function readBody(
  response: Response,
  { url, maxBodyBytes }: { url: string; maxBodyBytes: number },
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > maxBodyBytes) {
      throw new RangeError(`Cannot read the answer of ${url}: it is larger than ${maxBodyBytes} bytes`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function isHeaders(value: unknown): value is Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.values(value).every((one) => typeof one === 'string')
}
