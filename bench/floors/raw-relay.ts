/** Floor: two hops of bytes, no JSON anywhere, no check. Nothing that has two hops in Node can be faster. */
import type { Design } from '../harness/design.ts'
import { startTwoHop } from '../harness/two-hop.ts'

export const design: Design = {
  name: 'raw-relay',
  async start() {
    const hop = await startTwoHop(
      new URL('relay.main.ts', import.meta.url),
      new URL('raw-echo.main.ts', import.meta.url),
    )
    const waiting: { bytes: number; left: number; resolve: (bytes: number) => void }[] = []
    hop.socket.on('data', (chunk) => {
      let bytes = chunk.length
      for (let first = waiting[0]; first !== undefined && bytes >= first.left; first = waiting[0]) {
        bytes -= first.left
        waiting.shift()
        first.resolve(first.bytes)
      }
      if (waiting[0] !== undefined) waiting[0].left -= bytes
    })
    return {
      ...hop,
      tier: null,
      call: ({ bytes }) =>
        new Promise((resolve) => {
          waiting.push({ bytes: bytes.length, left: bytes.length, resolve })
          hop.socket.write(bytes)
        }),
    }
  },
}
