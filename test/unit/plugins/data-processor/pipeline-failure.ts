import { runPipeline } from '../../../../plugins/data_processor/run-pipeline.ts'

export async function failureOf(input: unknown): Promise<Error> {
  try {
    await runPipeline(input)
  } catch (error) {
    return error as Error
  }
  throw new Error('The pipeline ran')
}
