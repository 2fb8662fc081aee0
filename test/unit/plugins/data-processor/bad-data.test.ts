import { expect } from 'chai'
import { runPipeline } from '../../../../plugins/data_processor/run-pipeline.ts'
import { filter, statistics, transform, type Step } from './naive-pipeline.ts'
import { failureOf } from './pipeline-failure.ts'

const ROWS = [
  { name: 'Ada', age: 36, score: 90 },
  { name: 'Ben', age: 17, score: 'n/a' },
]

interface BadData {
  says: string
  data: unknown
  pipeline: Step[]
  message: string
}

const bad = (says: string, step: Step, message: string, data: unknown = ROWS): BadData => ({
  says,
  data,
  pipeline: [statistics('age'), step],
  message,
})

const TABLES: BadData[] = [
  bad(
    'an output_field that exists',
    transform('normalize', { field: 'age', output_field: 'score' }),
    'Cannot run pipeline[1] "Transform/normalize": there is a field "score" already, whose values would be lost. Choose another name',
  ),
  bad(
    'a new name that exists',
    transform('rename', { from: 'age', to: 'score' }),
    'Cannot run pipeline[1] "Transform/rename": there is a field "score" already',
  ),
  bad(
    'a field to rename that no row has',
    transform('rename', { from: 'agee', to: 'years' }),
    'Cannot run pipeline[1] "Transform/rename": no row has a field "agee". Did you mean "age"?',
  ),
  bad(
    'a field that no row has',
    statistics('scoer'),
    'Cannot run pipeline[1] "Analyze/statistics": no row has a field "scoer". Did you mean "score"? Known: "score", "name", "age"',
  ),
  bad('a field of the prototype', statistics('hasOwnProperty'), 'no row has a field "hasOwnProperty"'),
  bad(
    'a string among numbers',
    statistics('score'),
    'Cannot run pipeline[1] "Analyze/statistics": data[1] has the string "n/a" as "score", which needs a finite number in every row',
  ),
  bad(
    'a number too large for a double',
    filter('range', { field: 'age', min: 0 }),
    'data[2] has the number Infinity as "age", which needs a finite number',
    JSON.parse('[{"age":1},{"age":2},{"age":1e999}]'),
  ),
  bad(
    'a digit string',
    transform('normalize', { field: 'size' }),
    'Cannot run pipeline[1] "Transform/normalize": data[0] has the string "12" as "size"',
    [{ age: 1, size: '12' }],
  ),
  bad('a boolean', statistics('x'), 'data[0] has the boolean true as "x"', [{ age: 1, x: true }]),
  bad('an array', statistics('x'), 'data[0] has an array of 2 as "x"', [{ age: 1, x: [1, 2] }]),
  bad(
    'numbers too far apart',
    transform('normalize', { field: 'x' }),
    'Cannot run pipeline[1] "Transform/normalize": the numbers of its field lie too far apart, from -1.7e+308 to 1.7e+308',
    [
      { age: 1, x: 1.7e308 },
      { age: 1, x: -1.7e308 },
    ],
  ),
]

describe('runPipeline() with bad data', () => {
  for (const { says, data, pipeline, message } of TABLES) {
    it(`names place and remedy of ${says}`, async () => {
      const failure = await failureOf({ data, pipeline })
      expect(failure.name).to.equal('PipelineError')
      expect(failure.message).to.include(message)
    })
  }

  it('counts rows as the input does, behind a filter and under a new name', async () => {
    const pipeline: Step[] = [
      filter('equals', { field: 'name', value: 'Ben' }),
      transform('rename', { from: 'score', to: 'points' }),
      statistics('points'),
    ]
    const { message } = await failureOf({ data: ROWS, pipeline })
    expect(message).to.include(
      'Cannot run pipeline[2] "Analyze/statistics": data[1] has the string "n/a" as "points"',
    )
  })

  it('does not mind what is wrong in rows that a filter took out', async () => {
    const pipeline = [filter('equals', { field: 'name', value: 'Ada' }), statistics('score')]
    expect((await runPipeline({ data: ROWS, pipeline })).analysis[0]?.mean).to.equal(90)
  })

  it('knows a renamed field by its new name only', async () => {
    const pipeline = [transform('rename', { from: 'score', to: 'points' }), statistics('score')]
    const { message } = await failureOf({ data: ROWS, pipeline })
    expect(message)
      .to.include('no row has a field "score". ')
      .and.to.include('Known: ')
      .and.to.include('"points"')
    expect(message.slice(message.indexOf('Known'))).not.to.include('"score"')
  })
})
