import { definePlugin } from '@phantom-ml/core/plugin'
import { runPipeline } from './run-pipeline.ts'

export default definePlugin({
  operations: {
    process_pipeline: (input, context) =>
      runPipeline(input, {
        signal: context.signal,
        progress: (fraction, message) => context.progress(fraction, message),
        warn: (message) => context.log.warn(message),
      }),
  },
  capabilities: () => [{ DataProcessing: { input_formats: ['json'], output_formats: ['json'] } }],
})
