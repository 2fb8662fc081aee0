import { expect } from 'chai'
import { runPipeline } from '../../../../plugins/data_processor/run-pipeline.ts'
import { analysisOf, filter, statistics, transform } from './naive-pipeline.ts'

const PEOPLE = [
  { name: 'Ada', age: 36, score: 90 },
  { name: 'Ben', age: 17, score: 75 },
  { name: 'Cleo', age: 65, score: 60 },
  { name: 'Dan', age: 18, score: null },
  { name: 'Eve', age: 66, score: 80 },
  { name: 'Flo', score: 80 },
]

describe('runPipeline()', () => {
  it("runs the specification's pipeline, as its sample in the README says", async () => {
    const data = PEOPLE.filter(({ name }) => ['Ada', 'Ben', 'Dan', 'Eve'].includes(name))
    const sample = [
      filter('range', { field: 'age', min: 18, max: 65 }),
      transform('normalize', { field: 'score' }),
      statistics('score'),
    ]
    expect(await runPipeline({ data, pipeline: sample })).to.deep.equal({
      data: [
        { name: 'Ada', age: 36, score: 0 },
        { name: 'Dan', age: 18, score: null },
      ],
      row_count: 2,
      steps: [
        { operation_type: 'Filter', operation_name: 'range', rows_in: 4, rows_out: 2 },
        {
          operation_type: 'Transform',
          operation_name: 'normalize',
          rows_in: 2,
          rows_out: 2,
          warnings: [
            '"score" is missing in 1 of 2 rows, where the outcome is null',
            '"score" is 90 in every row that has it: the outcome is 0',
          ],
        },
        { operation_type: 'Analyze', operation_name: 'statistics', rows_in: 2, rows_out: 2 },
      ],
      analysis: [analysisOf(2, 'score', [1, 1, 0, null, 0, 0, 0, 0, 0])],
    })
  })

  it('returns the rows of an empty pipeline, and nothing of no rows', async () => {
    expect(await runPipeline({ data: PEOPLE, pipeline: [] })).to.deep.equal({
      data: PEOPLE,
      row_count: 6,
      steps: [],
      analysis: [],
    })
    const pipeline = [
      filter('range', { field: 'a', min: 0 }),
      filter('in', { field: 'b', values: [] }),
      transform('normalize', { field: 'c', method: 'z_score' }),
      transform('rename', { from: 'd', to: 'e' }),
      statistics('f'),
    ]
    const { data, row_count, steps, analysis } = await runPipeline({ data: [], pipeline })
    expect({ data, row_count, warnings: steps.flatMap((step) => step.warnings ?? []) }).to.deep.equal({
      data: [],
      row_count: 0,
      warnings: [],
    })
    expect(analysis).to.deep.equal([analysisOf(4, 'f', [0, 0, null, null, null, null, null, null, null])])
  })

  it('changes neither rows nor pipeline of its caller', async () => {
    const input = {
      data: PEOPLE,
      pipeline: [
        filter('in', { field: 'name', values: ['Ada', 'Eve'] }),
        transform('normalize', { field: 'score' }),
        transform('rename', { from: 'score', to: 'points' }),
        statistics('points'),
      ],
    }
    const before = structuredClone(input)
    await runPipeline(input)
    expect(input).to.deep.equal(before)
  })

  it('reports progress and warnings of every step', async () => {
    const progress: [number, string][] = []
    const warnings: string[] = []
    const pipeline = [filter('range', { field: 'age', min: 60 }), statistics('score')]
    await runPipeline(
      { data: PEOPLE, pipeline },
      { progress: (...args) => progress.push(args), warn: (warning) => warnings.push(warning) },
    )
    expect(progress).to.deep.equal([
      [0.5, 'pipeline[0] "Filter/range": 6 rows in, 2 out'],
      [1, 'pipeline[1] "Analyze/statistics": 2 rows in, 2 out'],
    ])
    expect(warnings).to.deep.equal([
      'pipeline[0] "Filter/range": "age" is missing in 1 of 6 rows, left out: a missing value lies in no range',
    ])
  })

  it('stops between two steps when its signal aborts, also by an event that waits for a turn of the loop', async () => {
    const stop = new AbortController()
    const done: string[] = []
    const running = runPipeline(
      { data: PEOPLE, pipeline: [statistics('score'), statistics('score'), statistics('score')] },
      {
        signal: stop.signal,
        progress(_, message) {
          done.push(message)
          setImmediate(() => stop.abort(new Error('enough')))
        },
      },
    )
    const failure: unknown = await running.catch((error: unknown) => error)
    expect(failure).to.have.property('message', 'enough')
    expect(done.length).to.be.within(1, 2)
  })

  it('runs no step when its signal has aborted before', async () => {
    const failure: unknown = await runPipeline(
      { data: PEOPLE, pipeline: [] },
      { signal: AbortSignal.abort(new Error('too late')) },
    ).catch((error: unknown) => error)
    expect(failure).to.have.property('message', 'too late')
  })
})
