import { manifestText } from './plugin-folders.ts'
import { watGuest, type WatGuest } from './wat-guest.ts'

/** The files of a WebAssembly plugin, to stand below a world's folder. */
export function wasmPlugin(
  id: string,
  guest: WatGuest | Uint8Array,
  more = '',
): Record<string, string | Buffer> {
  const manifest = manifestText(id, more)
    .replace('"javascript"', '"wasm"')
    .replace('"index.js"', '"plugin.wasm"')
  return {
    [`plugins/${id}/plugin.toml`]: manifest,
    [`plugins/${id}/plugin.wasm`]: Buffer.from(guest instanceof Uint8Array ? guest : watGuest(guest)),
  }
}
