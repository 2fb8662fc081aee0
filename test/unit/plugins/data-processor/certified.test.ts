import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'
import { runPipeline } from '../../../../plugins/data_processor/run-pipeline.ts'
import { columnsOf, ROOT, wordOf } from '../../../helpers/docs-pages.ts'
import { exactFigures } from './exact-figures.ts'
import { statistics } from './naive-pipeline.ts'

const FOLDER = path.join(ROOT, 'test/fixtures/nist')
const README = 'plugins/data_processor/README.md'
/** A certified value has this many at most, and so has a double. */
const MOST_DIGITS = 15

interface DataSet {
  readonly name: string
  readonly numbers: readonly number[]
  readonly mean: number
  readonly sd: number
}

/** A file of NIST's Statistical Reference Datasets: certified values in its head, the numbers behind a line of dashes. */
function readDataSet(file: string): DataSet {
  const lines = fs.readFileSync(path.join(FOLDER, file), 'utf8').split('\n')
  const certified = (label: string): number => {
    const value = lines.flatMap((line) => new RegExp(`^${label}.*: +(-?[0-9.]+)`).exec(line)?.[1] ?? [])
    expect(value, `${label} of ${file}`).to.have.length(1)
    return Number(value[0])
  }
  const data = lines.findIndex((line) => /^Data: +Y/.test(line))
  const numbers = lines
    .slice(data + 2)
    .filter((line) => line.trim() !== '')
    .map(Number)
  expect(numbers, file).to.have.length(certified('Number of Observations'))
  return {
    name: path.basename(file, '.dat'),
    numbers,
    mean: certified('Sample Mean'),
    sd: certified('Sample Standard Deviation'),
  }
}

/** NIST's log relative error: how many significant digits are right. */
function digitsOf(computed: number, wanted: number): number {
  if (computed === wanted) return MOST_DIGITS
  return Math.min(MOST_DIGITS, Math.floor(-Math.log10(Math.abs((computed - wanted) / wanted))))
}

async function figuresOf(numbers: readonly number[]): Promise<{ mean: number; sd: number }> {
  const { analysis } = await runPipeline({
    data: numbers.map((y) => ({ y })),
    pipeline: [statistics('y')],
  })
  return analysis[0] as unknown as { mean: number; sd: number }
}

describe('Statistics against the certified values of NIST', () => {
  const sets = fs
    .readdirSync(FOLDER)
    .filter((name) => name.endsWith('.dat'))
    .map(readDataSet)
  const documented = new Map(
    columnsOf(README, 'certified').map(([name, count, mean, sd, exact]) => [
      wordOf(name),
      [count, mean, sd, exact].map(Number),
    ]),
  )

  it('knows all nine data sets of univariate summary statistics, and the README tells of each', () => {
    expect(sets.map(({ name }) => name)).to.have.members([
      'PiDigits',
      'Lottery',
      'Lew',
      'Mavro',
      'Michelso',
      'NumAcc1',
      'NumAcc2',
      'NumAcc3',
      'NumAcc4',
    ])
    expect([...documented.keys()]).to.have.members(sets.map(({ name }) => name))
  })

  for (const set of sets) {
    it(`has of ${set.name} as many right digits as the README says, and no figure that doubles allow is nearer`, async () => {
      const computed = await figuresOf(set.numbers)
      // The numbers of a file are decimals; what a double makes of them has another deviation, which is the best there is.
      const exact = exactFigures(set.numbers)
      expect(documented.get(set.name)).to.deep.equal([
        set.numbers.length,
        digitsOf(computed.mean, set.mean),
        digitsOf(computed.sd, set.sd),
        digitsOf(computed.sd, exact.sd),
      ])
      expect(digitsOf(computed.mean, exact.mean), 'mean').to.equal(MOST_DIGITS)
    })
  }
})
