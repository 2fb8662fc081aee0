/** The conformance plugin in JavaScript: what its siblings in other languages do, operation for operation. */
import fs from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { definePlugin } from '@phantom-ml/core/plugin'

let count = 0
let noted = { count: 0, last: null }

export default definePlugin({
  initialize({ previous_state }) {
    count = previous_state?.count ?? 0
  },
  health: () => ({ healthy: true }),
  validate_config: ({ depth }) => (depth > 10 ? 'depth must be at most 10' : null),
  export_state: () => ({ count }),
  operations: {
    echo: (input) => input,
    word_count: ({ text }) => ({
      words: text.split(/\s+/).filter((word) => word !== '').length,
      chars: [...text].length,
    }),
    read_file: ({ path }) => ({ text: fs.readFileSync(path, 'utf8') }),
    write_file({ path, text }) {
      fs.writeFileSync(path, text)
      return { bytes: Buffer.byteLength(text) }
    },
    async fetch_url({ url }) {
      const response = await fetch(url)
      return { status: response.status, text: await response.text() }
    },
    read_env: ({ name }) => ({ value: process.env[name] ?? null }),
    async sleep({ duration_ms }, { signal }) {
      await delay(duration_ms, undefined, { signal })
      return { slept_ms: duration_ms }
    },
    spin() {
      for (;;);
    },
    grow() {
      const held = []
      for (;;) held.push(Buffer.alloc(1024 * 1024, 1))
    },
    panic({ message }) {
      throw new Error(message)
    },
    log({ level, message }, { log }) {
      log[level](message)
      return null
    },
    report_progress({ steps }, { progress }) {
      for (let step = 1; step <= steps; step += 1) progress(step / steps, `step ${step} of ${steps}`)
      return { steps }
    },
    wait_for_cancel: (_input, { signal }) => delay(2 ** 30, undefined, { signal }),
    count() {
      count += 1
      return { count }
    },
    async send({ recipient, type, payload }, { send_message: send }) {
      const { message_id: id } = await send(recipient, type, payload)
      return { sent: id.length > 0 }
    },
    noted: () => noted,
  },
  messages: {
    note(payload, { sender, origin }) {
      if (payload.text === 'unlucky') throw new Error('unlucky is no note')
      noted = { count: noted.count + 1, last: { sender, origin, payload } }
    },
  },
})
