import { definePlugin } from '@phantom-ml/core/plugin'
import { greet } from './greet.ts'

export default definePlugin({
  operations: {
    greet({ name }: { name: string }, { log }) {
      log.info('greeting', { name })
      return greet(name)
    },
  },
})
