import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { runPipeline } from '../../../../plugins/data_processor/run-pipeline.ts'
import {
  filter,
  naiveNormalize,
  naiveNumbers,
  naiveRange,
  naiveStatistics,
  statistics,
  transform,
  type Row,
} from './naive-pipeline.ts'

function readDataset(name: string): Row[] {
  const url = new URL(`../../../../node_modules/vega-datasets/data/${name}`, import.meta.url)
  return JSON.parse(readFileSync(url, 'utf8')) as Row[]
}

describe('runPipeline() on the data sets of vega-datasets', () => {
  it('meets the known figures of the cars: 406 of them, 8 without mileage, 6 without horsepower', async () => {
    const pipeline = [statistics('Miles_per_Gallon'), statistics('Horsepower'), statistics('Weight_in_lbs')]
    const { analysis } = await runPipeline({ data: readDataset('cars.json'), pipeline })
    expect(
      analysis.map(({ count, missing, min, median, max }) => [count, missing, min, median, max]),
    ).to.deep.equal([
      [398, 8, 9, 23, 46.6],
      [400, 6, 46, 95, 230],
      [406, 0, 1613, 2822.5, 5140],
    ])
  })

  const columns: [string, string[]][] = [
    ['cars.json', ['Miles_per_Gallon', 'Displacement', 'Horsepower', 'Weight_in_lbs', 'Acceleration']],
    [
      'movies.json',
      ['US Gross', 'Production Budget', 'Running Time min', 'IMDB Rating', 'Rotten Tomatoes Rating'],
    ],
    ['penguins.json', ['Beak Length (mm)', 'Flipper Length (mm)', 'Body Mass (g)']],
  ]
  for (const [dataset, fields] of columns) {
    it(`agrees with the definitions on ${fields.length} columns of ${dataset}`, async () => {
      const data = readDataset(dataset)
      const { analysis } = await runPipeline({ data, pipeline: fields.map(statistics) })
      for (const { field, step: _step, operation: _operation, missing, ...figures } of analysis) {
        const numbers = naiveNumbers(data, field)
        expect(missing, field).to.equal(data.length - numbers.length)
        expectClose(figures, naiveStatistics(numbers), field)
      }
    })
  }

  it('runs the pipeline of the demo: the films that earned most, by their rating', async () => {
    const data = readDataset('movies.json')
    const [low, high] = [400_000_000, 800_000_000]
    const pipeline = [
      filter('range', { field: 'US Gross', min: low, max: high }),
      transform('normalize', { field: 'IMDB Rating' }),
      statistics('IMDB Rating'),
    ]
    const { data: rows, steps, analysis } = await runPipeline({ data, pipeline })
    const expected = naiveNormalize(naiveRange(data, 'US Gross', low, high), 'IMDB Rating', 'min_max')
    expect(rows).to.deep.equal(expected)
    expect(rows.filter((row) => row['IMDB Rating'] === 1).map((row) => row.Title)).to.deep.equal([
      'The Dark Knight',
      'Toy Story 3',
    ])
    expect(steps.map(({ rows_out, warnings }) => [rows_out, warnings])).to.deep.equal([
      [11, ['"US Gross" is missing in 7 of 3201 rows, left out: a missing value lies in no range']],
      [11, ['"IMDB Rating" is missing in 2 of 11 rows, where the outcome is null']],
      [11, undefined],
    ])
    expectClose({ ...analysis[0] }, naiveStatistics(naiveNumbers(expected, 'IMDB Rating')), 'IMDB Rating')
  })

  it('refuses a column of words, with the row that has the first', async () => {
    const running = runPipeline({ data: readDataset('movies.json'), pipeline: [statistics('Distributor')] })
    const { message } = (await running.catch((error: unknown) => error)) as Error
    expect(message).to.include(
      'data[0] has the string "Gramercy" as "Distributor", which needs a finite number',
    )
  })
})

function expectClose(
  found: Record<string, unknown>,
  expected: Record<string, number | null>,
  field: string,
): void {
  for (const [figure, wanted] of Object.entries(expected)) {
    expect(found[figure], `${figure} of ${field}`).to.be.closeTo(wanted!, Math.abs(wanted!) * 1e-12)
  }
}
