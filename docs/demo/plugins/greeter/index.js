import { setTimeout } from 'node:timers/promises'
import { definePlugin } from '@phantom-ml/core/plugin'

export default definePlugin({
  operations: {
    async greet({ name }) {
      await setTimeout(5)
      return `Hello, ${name}.`
    },
  },
})
