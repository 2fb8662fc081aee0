import type { Socket } from 'node:net'
import { canonicalHost } from './canonical-host.ts'
import { readFirstBytes } from './client-hello.ts'
import type { EgressMeter } from './egress-meter.ts'
import type { Target } from './host-rules.ts'

export interface TunnelEnds {
  readonly target: Target
  readonly plugin: Socket
  readonly server: Socket
  readonly meter: EgressMeter
  /** The plugin's TLS asks for another server than its CONNECT did; empty where it can't be read. */
  readonly onWrongName: (serverName: string) => void
}

/** A client that began to say hello must come to its end. */
const HELLO_TIMEOUT_MS = 10_000
const MAX_HELLO_BYTES = 64 * 1024
/** Without a byte either way for so long. */
const IDLE_MS = 300_000
/** For what one end has still to take when the other is gone. */
const LAST_BYTES_MS = 10_000

/**
 * Carries bytes both ways, with the pressure of the slower side. What the plugin sends first is held until it is clear
 * that its TLS, if it is that, asks for the server that was granted: else one granted host would lend its address to
 * all that share it.
 */
export function openTunnel(ends: TunnelEnds, first: Buffer): void {
  const { plugin, server, meter } = ends
  for (const [end, other] of [
    [plugin, server],
    [server, plugin],
  ] as const) {
    end.on('error', () => other.destroy())
    end.on('close', () => {
      other.destroySoon()
      other.setTimeout(LAST_BYTES_MS)
    })
    end.on('timeout', () => end.destroy())
    end.setTimeout(IDLE_MS)
  }
  if (plugin.destroyed) server.destroy()
  carry(server, plugin, meter)
  new FirstWords(ends).take(first)
}

/** Until it is known what the plugin speaks. */
class FirstWords {
  readonly #ends: TunnelEnds
  #held: Buffer = Buffer.alloc(0)
  #late: NodeJS.Timeout | null = null

  constructor(ends: TunnelEnds) {
    this.#ends = ends
    ends.plugin.on('data', this.take)
    ends.plugin.once('end', this.#ended)
    ends.plugin.once('close', this.#settle)
  }

  readonly take = (chunk: Buffer): void => {
    const { plugin, server, meter } = this.#ends
    this.#held = Buffer.concat([this.#held, chunk])
    const verdict = this.#judge()
    if (verdict === 'more') {
      if (this.#held.length > 0) this.#late ??= setTimeout(() => plugin.destroy(), HELLO_TIMEOUT_MS)
      return
    }
    this.#settle()
    if (verdict === 'refuse') {
      plugin.destroy()
      return
    }
    meter.moved(this.#held.length)
    if (!server.write(this.#held)) plugin.pause()
    this.#held = Buffer.alloc(0)
    carry(plugin, server, meter)
  }

  /** It will say no more: what it said is no hello that a server would answer. */
  readonly #ended = (): void => {
    this.#settle()
    this.#ends.server.end()
  }

  readonly #settle = (): void => {
    const { plugin } = this.#ends
    if (this.#late !== null) clearTimeout(this.#late)
    plugin.off('data', this.take)
    plugin.off('end', this.#ended)
    plugin.off('close', this.#settle)
  }

  #judge(): 'more' | 'pass' | 'refuse' {
    const { target, onWrongName } = this.#ends
    const found = readFirstBytes(this.#held)
    if (found.kind === 'silent') return 'pass'
    if (found.kind === 'more' && this.#held.length <= MAX_HELLO_BYTES) return 'more'
    const serverName = found.kind === 'named' ? found.serverName : ''
    const named = canonicalHost(serverName)
    if ('text' in named && named.text === target.host.text) return 'pass'
    onWrongName(serverName)
    return 'refuse'
  }
}

function carry(from: Socket, to: Socket, meter: EgressMeter): void {
  from.on('data', (chunk: Buffer) => {
    meter.moved(chunk.length)
    if (!to.write(chunk)) from.pause()
  })
  to.on('drain', () => from.resume())
  from.on('end', () => to.end())
}
