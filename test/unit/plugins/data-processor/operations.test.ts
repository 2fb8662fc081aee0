import { expect } from 'chai'
import { runPipeline } from '../../../../plugins/data_processor/run-pipeline.ts'
import { analysisOf, filter, statistics, transform, type Row, type Step } from './naive-pipeline.ts'

const PEOPLE = [
  { name: 'Ada', age: 36, score: 90 },
  { name: 'Ben', age: 17, score: 75 },
  { name: 'Cleo', age: 65, score: 60 },
  { name: 'Dan', age: 18, score: null },
  { name: 'Eve', age: 66, score: 80 },
  { name: 'Flo', score: 80 },
]

async function rowsAfter(data: readonly Row[], ...pipeline: Step[]): Promise<readonly Row[]> {
  return (await runPipeline({ data, pipeline })).data
}

async function namesAfter(...pipeline: Step[]): Promise<unknown> {
  return (await rowsAfter(PEOPLE, ...pipeline)).map((row) => row.name)
}

describe('Filter', () => {
  it('range keeps both bounds, or the one that is given', async () => {
    expect(await namesAfter(filter('range', { field: 'age', min: 18, max: 65 }))).to.deep.equal([
      'Ada',
      'Cleo',
      'Dan',
    ])
    expect(await namesAfter(filter('range', { field: 'age', min: 65 }))).to.deep.equal(['Cleo', 'Eve'])
    expect(await namesAfter(filter('range', { field: 'age', max: 18 }))).to.deep.equal(['Ben', 'Dan'])
    expect(await namesAfter(filter('range', { field: 'age', min: 36, max: 36 }))).to.deep.equal(['Ada'])
  })

  it('range takes bounds of 0, and missing values for no 0', async () => {
    const data = [
      { x: -1 },
      { x: 0 },
      { x: 1 },
      { x: null },
      { x: '' },
      { x: Number.NaN },
      { x: undefined },
      {},
    ]
    expect(await rowsAfter(data, filter('range', { field: 'x', min: 0 }))).to.deep.equal([{ x: 0 }, { x: 1 }])
    expect(await rowsAfter(data, filter('range', { field: 'x', max: 0 }))).to.deep.equal([
      { x: -1 },
      { x: 0 },
    ])
  })

  it('equals compares without conversion', async () => {
    const data = [{ x: 1 }, { x: '1' }, { x: true }, { x: 0 }, { x: '' }, { x: null }, {}, { x: [1] }]
    expect(await rowsAfter(data, filter('equals', { field: 'x', value: 1 }))).to.deep.equal([{ x: 1 }])
    expect(await rowsAfter(data, filter('equals', { field: 'x', value: '1' }))).to.deep.equal([{ x: '1' }])
    expect(await rowsAfter(data, filter('equals', { field: 'x', value: true }))).to.deep.equal([{ x: true }])
    expect(await rowsAfter(data, filter('equals', { field: 'x', value: 0 }))).to.deep.equal([{ x: 0 }])
  })

  it('equals finds every kind of missing value by null and by ""', async () => {
    const data = [{ x: 1 }, { x: '' }, { x: null }, { y: 2 }, { x: false }]
    for (const value of [null, '']) {
      expect(await rowsAfter(data, filter('equals', { field: 'x', value }))).to.deep.equal([
        { x: '' },
        { x: null },
        { y: 2 },
      ])
    }
  })

  it('in keeps the rows with any of the values', async () => {
    expect(await namesAfter(filter('in', { field: 'name', values: ['Flo', 'Ada', 'Zoe'] }))).to.deep.equal([
      'Ada',
      'Flo',
    ])
    expect(await namesAfter(filter('in', { field: 'age', values: [17, null] }))).to.deep.equal(['Ben', 'Flo'])
    expect(await namesAfter(filter('in', { field: 'age', values: [] }))).to.deep.equal([])
  })

  it('works on the rows that the filter before it left', async () => {
    const steps = [
      filter('range', { field: 'age', min: 18 }),
      filter('range', { field: 'score', min: 80 }),
      filter('equals', { field: 'name', value: 'Eve' }),
    ]
    const { steps: reports } = await runPipeline({ data: PEOPLE, pipeline: steps })
    expect(reports.map(({ rows_in, rows_out }) => [rows_in, rows_out])).to.deep.equal([
      [6, 4],
      [4, 2],
      [2, 1],
    ])
  })
})

describe('Transform', () => {
  it('normalize takes the lowest number to 0 and the highest to 1', async () => {
    const data = [{ x: -10 }, { x: 30 }, { x: 0 }]
    expect(await rowsAfter(data, transform('normalize', { field: 'x' }))).to.deep.equal([
      { x: 0 },
      { x: 1 },
      { x: 0.25 },
    ])
  })

  it('normalize by z_score divides by the sample standard deviation', async () => {
    const data = [{ x: 1 }, { x: 2 }, { x: 3 }]
    const steps = transform('normalize', { field: 'x', method: 'z_score' })
    expect(await rowsAfter(data, steps)).to.deep.equal([{ x: -1 }, { x: 0 }, { x: 1 }])
  })

  it('normalize counts only the rows that are left', async () => {
    const steps = [filter('range', { field: 'x', max: 4 }), transform('normalize', { field: 'x' })]
    expect(await rowsAfter([{ x: 2 }, { x: 1e6 }, { x: 4 }], ...steps)).to.deep.equal([{ x: 0 }, { x: 1 }])
  })

  it('normalize makes a constant column 0 and says so, by either method', async () => {
    for (const method of ['min_max', 'z_score']) {
      const pipeline = [transform('normalize', { field: 'x', method })]
      const { data, steps } = await runPipeline({ data: [{ x: 0.1 }, { x: 0.1 }, { x: 0.1 }], pipeline })
      expect(data).to.deep.equal([{ x: 0 }, { x: 0 }, { x: 0 }])
      expect(steps[0]?.warnings).to.deep.equal(['"x" is 0.1 in every row that has it: the outcome is 0'])
    }
  })

  it('normalize leaves what is missing without a number: null in place, or as a last key', async () => {
    const data = [{ x: 1, y: 'a' }, { y: 'b' }, { x: '', y: 'c' }, { x: 3, y: 'd' }]
    const rows = await rowsAfter(data, transform('normalize', { field: 'x' }))
    expect(JSON.stringify(rows)).to.equal(
      '[{"x":0,"y":"a"},{"y":"b","x":null},{"x":null,"y":"c"},{"x":1,"y":"d"}]',
    )
    const { data: none, steps } = await runPipeline({
      data: [{ x: null }, { x: '' }],
      pipeline: [transform('normalize', { field: 'x' })],
    })
    expect(none).to.deep.equal([{ x: null }, { x: null }])
    expect(steps[0]?.warnings).to.deep.equal(['"x" is missing in 2 of 2 rows, where the outcome is null'])
  })

  it('normalize writes to output_field and leaves its field alone', async () => {
    const rows = await rowsAfter(
      [{ x: 5, y: 1 }, { x: 15 }, { y: 3 }],
      transform('normalize', { field: 'x', output_field: 'share' }),
      transform('normalize', { field: 'share', method: 'z_score', output_field: 'z' }),
    )
    const z = Math.SQRT1_2
    expect(rows.map((row) => ({ ...row, z: undefined }))).to.deep.equal([
      { x: 5, y: 1, share: 0, z: undefined },
      { x: 15, share: 1, z: undefined },
      { y: 3, share: null, z: undefined },
    ])
    expect(rows[0]?.z).to.be.closeTo(-z, 1e-15)
    expect(rows[1]?.z).to.be.closeTo(z, 1e-15)
    expect(rows[2]?.z).to.equal(null)
  })

  it('rename keeps the place of the field and touches no other', async () => {
    const rows = await rowsAfter(
      [{ a: 1, b: { deep: [2] }, c: 3 }, { c: 4 }],
      transform('rename', { from: 'b', to: 'd' }),
    )
    expect(JSON.stringify(rows)).to.equal('[{"a":1,"d":{"deep":[2]},"c":3},{"c":4}]')
  })

  it('rename and normalize go together in any order, over swapped and freed names', async () => {
    const rows = await rowsAfter(
      [{ a: 1, b: 10 }, { a: 3, b: 30 }, { b: 20 }],
      transform('rename', { from: 'a', to: 'c' }),
      transform('rename', { from: 'b', to: 'a' }),
      transform('normalize', { field: 'a' }),
      transform('normalize', { field: 'c', output_field: 'b' }),
      transform('rename', { from: 'b', to: 'share' }),
      transform('rename', { from: 'a', to: 'b' }),
      filter('range', { field: 'b', min: 0.5 }),
    )
    expect(JSON.stringify(rows)).to.equal('[{"c":3,"b":1,"share":1},{"b":0.5,"share":null}]')
  })
})

describe('Analyze', () => {
  it('statistics counts every kind of missing value and reads none as 0', async () => {
    const data = [
      { x: 2 },
      { x: null },
      { x: '' },
      { x: Number.NaN },
      { x: undefined },
      {},
      { x: 4 },
      { x: 0 },
    ]
    const { analysis, data: rows } = await runPipeline({ data, pipeline: [statistics('x')] })
    expect(analysis).to.deep.equal([analysisOf(0, 'x', [3, 5, 2, 2, 0, 1, 2, 3, 4])])
    expect(rows).to.deep.equal(data)
  })

  it('statistics speaks of the rows and names at its place in the pipeline', async () => {
    const pipeline = [
      statistics('score'),
      filter('range', { field: 'score', min: 80 }),
      transform('rename', { from: 'score', to: 'points' }),
      statistics('points'),
      filter('equals', { field: 'name', value: 'nobody' }),
      statistics('points'),
    ]
    const { analysis } = await runPipeline({ data: PEOPLE, pipeline })
    expect(analysis.map(({ step, field, count, mean }) => [step, field, count, mean])).to.deep.equal([
      [0, 'score', 5, 77],
      [3, 'points', 3, 250 / 3],
      [5, 'points', 0, null],
    ])
  })
})
