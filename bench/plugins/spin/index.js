import { definePlugin } from '@phantom-ml/core/plugin'

export default definePlugin({
  operations: {
    spin() {
      for (;;);
    },
  },
})
