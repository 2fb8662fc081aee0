import { expect } from 'chai'
import { runPipeline } from '../../../../plugins/data_processor/run-pipeline.ts'
import {
  createRandom,
  filter,
  naiveNormalize,
  naiveNumbers,
  naiveRange,
  naiveStatistics,
  statistics,
  transform,
  type Row,
} from './naive-pipeline.ts'

function parseRows(json: string): Row[] {
  return JSON.parse(json) as Row[]
}

describe('runPipeline() with hostile rows', () => {
  it('treats __proto__ as a field like any other', async () => {
    const data = parseRows('[{"__proto__":1,"a":1},{"__proto__":3,"a":2},{"a":3}]')
    const pipeline = [
      filter('range', { field: 'a', max: 2 }),
      transform('normalize', { field: '__proto__' }),
      statistics('__proto__'),
      transform('rename', { from: 'a', to: 'b' }),
    ]
    const { data: rows, analysis } = await runPipeline({ data, pipeline })
    expect(JSON.stringify(rows)).to.equal('[{"__proto__":0,"b":1},{"__proto__":1,"b":2}]')
    expect(rows.every((row) => Object.getPrototypeOf(row) === Object.prototype)).to.equal(true)
    expect(analysis[0]?.mean).to.equal(0.5)
  })

  it('writes __proto__ as a new name without touching any prototype', async () => {
    const pipeline = [
      transform('normalize', { field: 'a', output_field: 'z' }),
      transform('rename', { from: 'z', to: '__proto__' }),
      transform('rename', { from: 'a', to: 'constructor' }),
    ]
    const { data: rows } = await runPipeline({ data: [{ a: 1 }, { a: 2 }], pipeline })
    expect(JSON.stringify(rows)).to.equal('[{"constructor":1,"__proto__":0},{"constructor":2,"__proto__":1}]')
    expect(Object.hasOwn(Object.prototype, 'a')).to.equal(false)
    expect({}.constructor).to.equal(Object)
  })

  it('finds no value in the prototype chain of a row', async () => {
    const { analysis } = await runPipeline({
      data: parseRows('[{"toString":5,"valueOf":1},{"a":1}]'),
      pipeline: [statistics('toString'), statistics('valueOf')],
    })
    expect(analysis.map(({ count, missing }) => [count, missing])).to.deep.equal([
      [1, 1],
      [1, 1],
    ])
  })

  it('takes fields named like columns and rows of its own table, empty names, and names that look like numbers', async () => {
    const data = [{ rows: 1, column_1: 2, column_2: 3, '': 4, '0': 5, ' ': 6 }]
    const fields = ['rows', 'column_1', 'column_2', '', '0', ' ']
    const { analysis } = await runPipeline({ data, pipeline: fields.map(statistics) })
    expect(analysis.map(({ mean }) => mean)).to.deep.equal([1, 2, 3, 4, 5, 6])
  })

  it('takes rows of different fields, also a field that the first rows lack', async () => {
    const data = [{ a: 1 }, {}, { b: 2 }, { b: 4, a: 2, c: { d: [1] } }]
    const pipeline = [transform('normalize', { field: 'b' }), statistics('b')]
    const { data: rows, analysis } = await runPipeline({ data, pipeline })
    expect(JSON.stringify(rows)).to.equal('[{"a":1,"b":null},{"b":null},{"b":0},{"b":1,"a":2,"c":{"d":[1]}}]')
    expect([analysis[0]?.count, analysis[0]?.missing]).to.deep.equal([2, 2])
  })

  it('agrees with the naive pipeline on 150 random tables', async () => {
    const random = createRandom(20)
    for (let round = 0; round < 150; round++) {
      const data = randomRows(random)
      const method = round % 2 === 0 ? 'min_max' : 'z_score'
      const pipeline = [
        filter('range', { field: 'age', min: 18, max: 65 }),
        statistics('score'),
        transform('normalize', { field: 'score', method }),
        statistics('score'),
      ]
      const kept = naiveRange(data, 'age', 18, 65)
      const normalized = naiveNormalize(kept, 'score', method)
      const result = await runPipeline({ data, pipeline })
      expectRowsClose(result.data, normalized)
      expectFiguresClose({ ...result.analysis[0] }, kept)
      expectFiguresClose({ ...result.analysis[1] }, normalized)
    }
  })

  it('passes 100000 rows through the sample pipeline in time for a person to wait', async function () {
    this.timeout(10_000)
    const data = Array.from({ length: 100_000 }, (_, id) => ({
      id,
      name: `n${id}`,
      age: id % 90,
      score: (id * 7919) % 1000,
    }))
    const pipeline = [
      filter('range', { field: 'age', min: 18, max: 65 }),
      transform('normalize', { field: 'score' }),
      statistics('score'),
    ]
    const started = performance.now()
    const { row_count, analysis } = await runPipeline({ data, pipeline })
    // A tenth of a second on an idle machine.
    expect(performance.now() - started).to.be.below(4_000)
    expect(row_count).to.equal(data.filter(({ age }) => age >= 18 && age <= 65).length)
    expect([analysis[0]?.min, analysis[0]?.max]).to.deep.equal([0, 1])
  })

  it('holds a million rows, past what fits on a stack', async function () {
    this.timeout(30_000)
    const data = Array.from({ length: 1_000_000 }, (_, x) => ({ x }))
    const { row_count, analysis } = await runPipeline({
      data,
      pipeline: [filter('range', { field: 'x', min: 1 }), statistics('x')],
    })
    expect(row_count).to.equal(999_999)
    expect(analysis[0]).to.include({ mean: 500_000, median: 500_000, min: 1, max: 999_999 })
  })
})

function randomRows(random: () => number): Row[] {
  const missing = [null, '', undefined]
  const value = (highest: number): unknown =>
    random() < 0.15 ? missing[Math.floor(random() * missing.length)] : Math.round(random() * highest)
  return Array.from({ length: Math.floor(random() * 40) + 1 }, (_, id) => {
    const row: Row =
      random() < 0.5 ? { id, age: value(90), score: value(100) } : { score: value(100), id, age: value(90) }
    if (id > 0 && random() < 0.1) delete row.score
    return row
  })
}

function expectRowsClose(found: readonly Row[], expected: readonly Row[]): void {
  expect(found.map((row) => row.id)).to.deep.equal(expected.map((row) => row.id))
  for (const [index, row] of found.entries()) {
    const wanted = expected[index]!
    expect(Object.keys(row)).to.deep.equal(Object.keys(wanted))
    expect(row.age).to.equal(wanted.age)
    if (wanted.score === null) expect(row.score).to.equal(null)
    else expect(row.score).to.be.closeTo(wanted.score as number, 1e-9)
  }
}

function expectFiguresClose(found: Row, rows: readonly Row[]): void {
  const numbers = naiveNumbers(rows, 'score')
  expect(found.missing).to.equal(rows.length - numbers.length)
  for (const [figure, wanted] of Object.entries(naiveStatistics(numbers))) {
    if (wanted === null) expect(found[figure], figure).to.equal(null)
    else expect(found[figure], figure).to.be.closeTo(wanted, 1e-9)
  }
}
