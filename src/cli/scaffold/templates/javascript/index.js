import { definePlugin } from '@phantom-ml/core/plugin'
import { greet } from './greet.js'

export default definePlugin({
  operations: {
    greet({ name }, { log }) {
      log.info('greeting', { name })
      return greet(name)
    },
  },
})
