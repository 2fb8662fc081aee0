import { readFileSync } from 'node:fs'
import { definePlugin } from '@phantom-ml/core/plugin'

export default definePlugin({
  operations: {
    read_file: ({ path }) => readFileSync(path, 'utf8'),
  },
})
