import { expect } from 'chai'
import { runPipeline } from '../../../../plugins/data_processor/run-pipeline.ts'
import { filter, statistics, transform, type Row } from './naive-pipeline.ts'
import { failureOf } from './pipeline-failure.ts'

const ROWS = [
  { name: 'Ada', age: 36, score: 90 },
  { name: 'Ben', age: 17, score: 'n/a' },
]

interface BadInput {
  says: string
  input: unknown
  message: string
}

const bad = (says: string, step: unknown, message: string): BadInput => ({
  says,
  input: {
    data: ROWS,
    pipeline: [
      { operation_type: 'Analyze', operation_name: 'statistics', parameters: { field: 'age' } },
      step,
    ],
  },
  message,
})

const INPUTS: BadInput[] = [
  {
    says: 'no object',
    input: null,
    message: 'Cannot read the input: it is null. Give an object with data, pipeline',
  },
  {
    says: 'an array',
    input: [],
    message: 'Cannot read the input: it is an array of 0. Give an object with data, pipeline',
  },
  {
    says: 'an unknown key',
    input: { data: [], pipeline: [], pipelin: 1 },
    message:
      'Cannot read the input: it has an unknown key "pipelin". Did you mean "pipeline"? Known: "pipeline", "data"',
  },
  {
    says: 'no data',
    input: { pipeline: [] },
    message: 'Cannot read data: it is absent. Give an array of rows',
  },
  {
    says: 'data that is an object',
    input: { data: {}, pipeline: [] },
    message: 'Cannot read data: it is an object. Give an array of rows',
  },
  {
    says: 'no pipeline',
    input: { data: [] },
    message: 'Cannot read pipeline: it is absent. Give an array of steps',
  },
  {
    says: 'a row that is a number',
    input: { data: [{}, 5], pipeline: [] },
    message: 'Cannot read data[1]: it is the number 5. Give an object of field names and values',
  },
  {
    says: 'a row that is null',
    input: { data: [null], pipeline: [] },
    message: 'Cannot read data[0]: it is null. Give an object of field names and values',
  },
  bad(
    'a step that is a string',
    'statistics',
    'Cannot read pipeline[1]: it is the string "statistics". Give an object with operation_type, operation_name, parameters',
  ),
  bad(
    'a step with an unknown key',
    { ...statistics('age'), params: {} },
    'Cannot read pipeline[1]: it has an unknown key "params". Did you mean "parameters"?',
  ),
  bad(
    'an unknown operation_type',
    { ...statistics('age'), operation_type: 'Analyse' },
    'Cannot read pipeline[1].operation_type "Analyse": the data processor has no such operation_type. ' +
      'Did you mean "Analyze"? Known: "Analyze", "Filter", "Transform"',
  ),
  bad(
    'an operation_type in small letters',
    { ...statistics('age'), operation_type: 'analyze' },
    'pipeline[1].operation_type "analyze": the data processor has no such operation_type. Did you mean "Analyze"?',
  ),
  bad(
    'an operation_type of the prototype',
    { ...statistics('age'), operation_type: 'constructor' },
    'pipeline[1].operation_type "constructor": the data processor has no such operation_type',
  ),
  bad(
    'an unknown operation_name',
    transform('normalise', { field: 'age' }),
    'Cannot read pipeline[1].operation_name "normalise": Transform has no such operation_name. ' +
      'Did you mean "normalize"? Known: "normalize", "rename"',
  ),
  bad(
    'an operation_name of another type',
    filter('normalize', { field: 'age' }),
    'Cannot read pipeline[1].operation_name "normalize": Filter has no such operation_name. It belongs to operation_type "Transform"',
  ),
  bad(
    'an operation_name of the prototype',
    filter('toString', { field: 'age' }),
    'pipeline[1].operation_name "toString": Filter has no such operation_name',
  ),
  bad(
    'an operation_name that is a number',
    { ...statistics('age'), operation_name: 7 },
    'Cannot read pipeline[1].operation_name: it is the number 7. Give one of "statistics"',
  ),
  bad(
    'no parameters',
    { operation_type: 'Analyze', operation_name: 'statistics' },
    'Cannot read pipeline[1].parameters: it is absent. Give an object',
  ),
  bad(
    'an unknown parameter',
    filter('range', { field: 'age', maximum: 3 }),
    'Cannot read pipeline[1].parameters "maximum": Filter/range has no such parameter. Did you mean "max"?',
  ),
  bad(
    'a parameter named __proto__',
    filter('range', JSON.parse('{"field":"age","min":1,"__proto__":{"max":2}}') as Row),
    'Cannot read pipeline[1].parameters "__proto__": Filter/range has no such parameter',
  ),
  bad(
    'no field',
    statistics(undefined as unknown as string),
    'Cannot read pipeline[1].parameters.field: it is absent. Analyze/statistics needs the name of a field, a string',
  ),
  bad(
    'a range without a bound',
    filter('range', { field: 'age' }),
    'Cannot read pipeline[1].parameters.min: it is absent. Filter/range needs min, max or both, as finite numbers',
  ),
  bad(
    'a range upside down',
    filter('range', { field: 'age', min: 5, max: 3 }),
    'Cannot read pipeline[1].parameters.min: it is the number 5. Filter/range needs a min that is not above max (3)',
  ),
  bad(
    'a bound that is a string',
    filter('range', { field: 'age', min: '5' }),
    'Cannot read pipeline[1].parameters.min: it is the string "5". Filter/range needs a finite number',
  ),
  bad(
    'a bound that is null',
    filter('range', { field: 'age', min: 5, max: null }),
    'Cannot read pipeline[1].parameters.max: it is null. Filter/range needs a finite number; leave it out for no bound',
  ),
  bad(
    'a bound beyond any double',
    filter('range', { field: 'age', max: Number('1e999') }),
    'Cannot read pipeline[1].parameters.max: it is the number Infinity. Filter/range needs a finite number',
  ),
  bad(
    'no value to equal',
    filter('equals', { field: 'age' }),
    'Cannot read pipeline[1].parameters.value: it is absent. Filter/equals needs a string, a finite number, a boolean or null',
  ),
  bad(
    'an object to equal',
    filter('equals', { field: 'age', value: {} }),
    'Cannot read pipeline[1].parameters.value: it is an object. Filter/equals needs a string, a finite number, a boolean or null',
  ),
  bad(
    'values that are no array',
    filter('in', { field: 'age', values: 3 }),
    'Cannot read pipeline[1].parameters.values: it is the number 3. Filter/in needs an array',
  ),
  bad(
    'values with an array inside',
    filter('in', { field: 'age', values: [1, [2]] }),
    'Cannot read pipeline[1].parameters.values[1]: it is an array of 1. Filter/in needs a string',
  ),
  bad(
    'an unknown method',
    transform('normalize', { field: 'age', method: 'zscore' }),
    'Cannot read pipeline[1].parameters.method "zscore": Transform/normalize has no such method. Did you mean "z_score"?',
  ),
  bad(
    'a method that is no string',
    transform('normalize', { field: 'age', method: 1 }),
    'Cannot read pipeline[1].parameters.method: it is the number 1. Transform/normalize needs one of "min_max", "z_score"',
  ),
]

describe('runPipeline() with bad input', () => {
  for (const { says, input, message } of INPUTS) {
    it(`names place and remedy of ${says}`, async () => {
      const failure = await failureOf(input)
      expect(failure.name).to.equal('PipelineError')
      expect(failure.message).to.include(message)
    })
  }

  it('finds a bad step before any other has run', async () => {
    const progress: number[] = []
    const pipeline = [statistics('age'), filter('range', { field: 'age' })]
    const running = runPipeline({ data: ROWS, pipeline }, { progress: (fraction) => progress.push(fraction) })
    expect(await running.catch((error: Error) => error.name)).to.equal('PipelineError')
    expect(progress).to.deep.equal([])
  })

  it('keeps its words short, whatever the names and values', async () => {
    const long = 'x'.repeat(1_000_000)
    const wide = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, index) => [`field ${index} ${long.slice(0, 80)}`, 1]),
    )
    for (const input of [
      { data: [wide], pipeline: [statistics(long)] },
      { data: [{ [long]: long }], pipeline: [statistics(long)] },
      { data: [], pipeline: [{ ...statistics('x'), operation_name: long }] },
      { data: [], pipeline: [filter('range', { [long]: 1 })] },
    ]) {
      expect((await failureOf(input)).message.length).to.be.below(2_000)
    }
  })
})
