import { definePlugin } from '@phantom-ml/core/plugin'

export default definePlugin({
  operations: {
    echo: (input) => input,
    hang: () => new Promise(() => {}),
  },
})
