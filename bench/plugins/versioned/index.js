import { appendFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { definePlugin } from '@phantom-ml/core/plugin'

const VERSION = 1

export default definePlugin({
  initialize: ({ log }) => log.info(`version ${VERSION}`),
  operations: {
    version: () => VERSION,
    echo: (input) => input,
    // A line a call that began: a call that ran twice stands there twice.
    async work({ number, wait_ms }, { data_dir }) {
      appendFileSync(`${data_dir}/ran`, `${number}\n`)
      await setTimeout(wait_ms)
      return number
    },
    record_path: (_, { data_dir }) => `${data_dir}/ran`,
  },
})
