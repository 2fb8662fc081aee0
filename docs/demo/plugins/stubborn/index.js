import { definePlugin } from '@phantom-ml/core/plugin'

export default definePlugin({
  operations: {
    spin() {
      for (let n = 0; ; n += 1) Math.sqrt(n)
    },
  },
})
