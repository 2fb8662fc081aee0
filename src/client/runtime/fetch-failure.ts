/** Why a runtime could not be fetched, in words that say what to do; pure. */
import { PhantomError } from '../../contract/phantom-error.ts'
import type { PinnedPackage } from './pinned-runtime.ts'

export type FetchFailure =
  | 'offline'
  | 'npm_offline'
  | 'proxy'
  | 'refused'
  | 'not_in_registry'
  | 'certificate'
  | 'disk_full'
  | 'digest'
  | 'archive'
  | 'does_not_run'
  | 'timeout'
  | 'other'

const MAX_WORDS_CHARS = 400
/** npm's and Node's codes. What begins so, where a star ends it. */
const CODES: readonly [FetchFailure, readonly string[]][] = [
  ['npm_offline', ['ENOTCACHED']],
  ['proxy', ['E407', 'EINVALIDPROXY', 'EPROXY*', 'ERR_PROXY*']],
  ['refused', ['E401', 'E403', 'ENEEDAUTH', 'EOTP']],
  ['not_in_registry', ['E404', 'E410', 'ETARGET', 'ENOVERSIONS', 'EBADPLATFORM']],
  [
    'certificate',
    ['SELF_SIGNED*', 'DEPTH_ZERO*', 'UNABLE_TO_*', 'CERT_*', 'ERR_TLS_*', 'ERR_SSL_*', 'EPROTO'],
  ],
  ['disk_full', ['ENOSPC', 'EDQUOT']],
  ['digest', ['EINTEGRITY']],
  ['offline', ['ENOTFOUND', 'EAI_*', 'ECONN*', 'ENET*', 'EHOST*', 'ETIMEDOUT', 'ESOCKET*', 'ERR_SOCKET*']],
  ['offline', ['EIDLETIMEOUT', 'ERESPONSETIMEOUT', 'UND_ERR_*', 'E502', 'E503', 'E504']],
]

const REMEDIES: Readonly<Record<FetchFailure, string>> = {
  offline: 'Go online, or mend registry and proxy, which "npm config list" shows',
  npm_offline: 'npm is told to stay offline and has no copy of it: unset its option "offline"',
  proxy: 'Mend the proxy and its credentials, which "npm config get https-proxy" or HTTPS_PROXY names',
  refused: 'Log in to the registry: npm login',
  not_in_registry: 'Let the registry serve it, or name one that does: npm config set registry URL',
  certificate: 'Trust its issuer: npm config set cafile /path/to/ca.pem, or NODE_EXTRA_CA_CERTS',
  disk_full:
    'Make room: some 300 MB are needed there and in the cache of npm for a moment, 150 MB afterwards',
  digest: 'Nothing of it was kept. Ask whoever runs the registry or the proxy what it serves',
  archive: 'Nothing of it was kept. Ask whoever runs the registry what it serves',
  does_not_run: 'It needs glibc 2.28 or newer',
  timeout: 'Try again on a faster line',
  other: 'Mend that',
}
const ELSE = 'Or use a Node 26 or newer that you have: phantom setup --runtime /path/to/node'

/** Node's, where the error has one. */
export function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : ''
}

export function failureOfCode(code: string): FetchFailure {
  const found = CODES.find(([, codes]) =>
    codes.some((known) => (known.endsWith('*') ? code.startsWith(known.slice(0, -1)) : code === known)),
  )
  return found?.[0] ?? 'other'
}

export function fetchError(
  { name, version }: PinnedPackage,
  failure: FetchFailure,
  what: string,
  cause?: unknown,
): PhantomError {
  const words = withoutSecrets(what)
  return new PhantomError(
    'RUNTIME_NOT_FOUND',
    `Cannot fetch Node ${version} (npm's package ${name}): ${words}. ${REMEDIES[failure]}. ${ELSE}`,
    { details: { reason: failure, package: name, version, found: words }, cause },
  )
}

/** One line, bounded, without credentials of addresses and without tokens. */
function withoutSecrets(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/(\/\/)[^/@\s]+@/g, '$1***@')
    .replace(/\b(npm_[A-Za-z0-9]{8})[A-Za-z0-9]+/g, '$1***')
    .replace(/((?:_authToken|_auth|_password|Bearer|Basic)[=:\s]+)\S+/gi, '$1***')
    .replace(/[.]+$/, '')
    .slice(0, MAX_WORDS_CHARS)
}
