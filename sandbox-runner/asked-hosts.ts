const MAX_HOSTS = 64

/** `host:port` of what plugin code asked for last, by host: what is refused is named without its port. */
const targets = new Map<string, string>()

export function rememberTarget(target: string): void {
  if (targets.size >= MAX_HOSTS) targets.clear()
  targets.set(target.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1'), target)
}

/** The host with the port that was meant, where that is known. */
export function targetOf(host: string): string {
  return targets.get(host) ?? host
}
