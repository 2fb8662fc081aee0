import { canonicalHost, type Refused } from './canonical-host.ts'
import type { Target } from './host-rules.ts'

const AUTHORITY = /^(\[[^\]]*\]|[^:[\]]*)(?::([0-9]{1,5}))?$/
/** A client sends punycode; raw bytes above ASCII are read differently by everybody. */
const PRINTABLE = /^[\u0021-\u007e]*$/
const MAX_CHARS = 300
const MAX_PORT = 65_535

/** Reads `host:port` of a request. Without a default the port must be there. */
export function readAuthority(text: string, defaultPort: number | null): Target | Refused {
  if (text.length > MAX_CHARS || !PRINTABLE.test(text)) return { refused: 'is no host' }
  const [, name, written] = AUTHORITY.exec(text) ?? []
  if (name === undefined) return { refused: 'is no "host:port"' }
  const port = written === undefined ? defaultPort : Number(written)
  if (port === null) return { refused: 'has no port' }
  if (port < 1 || port > MAX_PORT) return { refused: 'has a port that does not exist' }
  const host = canonicalHost(name)
  return 'refused' in host ? host : { host, port }
}
