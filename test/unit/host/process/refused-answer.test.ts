import { expect } from 'chai'
import { refusedAnswer } from '../../../../host/process/refused-answer.ts'

type Spec = Parameters<typeof refusedAnswer>[0]

const specOf = (isGated: boolean, operations: readonly string[]): Spec =>
  ({
    initialize: { plugin_id: 'greeter', operations: operations.map((name) => ({ name })) },
    plan: { expected: { isGated } },
  }) as unknown as Spec
const errorOf = (answer: unknown) => refusedAnswer(specOf(false, ['hello']), answer)

describe('The protocol version that a plugin answers with', () => {
  for (const version of ['1.2', '1.1', '1.0', '1.7', '1.9999']) {
    it(`${version}: it goes on, whatever the minor is`, () =>
      expect(errorOf({ protocol_version: version })).to.equal(null))
  }

  for (const version of ['2.0', '10.1', '0.9']) {
    it(`${version}: it is refused by name, and for good`, () => {
      const error = errorOf({ protocol_version: version })
      expect(error?.code).to.equal('PLUGIN_START_FAILED')
      expect(error?.message).to.contain(`it speaks protocol "${version}", this daemon 1.2`)
      expect(error?.details).to.include({ deterministic: true, found: version, supported: '1.2' })
    })
  }

  it('a newer one asks for a newer host, an older one for a newer plugin', () => {
    expect(errorOf({ protocol_version: '2.0' })?.message).to.contain('Install a newer @phantom-ml/core')
    expect(errorOf({ protocol_version: '0.1' })?.message).to.contain('Write it for protocol 1.2')
  })

  for (const [what, answer] of Object.entries({
    'no object': null,
    'no version': {},
    'a number': { protocol_version: 1.1 },
    'a word': { protocol_version: 'new' },
    'no minor': { protocol_version: '1' },
    'three parts': { protocol_version: '1.1.0' },
    'a line break behind it': { protocol_version: '1.1\n' },
    'a long text': { protocol_version: '1'.repeat(100_000) },
  })) {
    it(`${what}: it is refused, in few words`, () => {
      const error = errorOf(answer)
      expect(error?.code).to.equal('PLUGIN_START_FAILED')
      expect(error?.message).to.contain('expected a text like "1.2"').and.have.lengthOf.below(400)
    })
  }
})

describe('The operations that a program names', () => {
  const answer = (operations: unknown) =>
    refusedAnswer(specOf(true, ['hello', 'bye']), { protocol_version: '1.1', operations })

  it('may be more than the manifest declares', () => expect(answer(['bye', 'hello', 'more'])).to.equal(null))

  for (const operations of [['hello'], ['hello', 7, 'BYE'], 'bye', null, undefined]) {
    it(`are refused where one is missing: ${JSON.stringify(operations)}`, () => {
      const error = answer(operations)
      expect(error?.code).to.equal('PLUGIN_START_FAILED')
      expect(error?.message).to.match(/does not name in its answer to "initialize": .*"bye"/)
      expect(error?.details).to.include({ deterministic: true })
    })
  }
})

describe('The messages that a program names', () => {
  const answer = (messages: unknown) => {
    const spec = {
      initialize: { plugin_id: 'greeter', operations: [], messages: [{ name: 'note' }] },
      plan: { expected: { isGated: true } },
    } as unknown as Spec
    return refusedAnswer(spec, { protocol_version: '1.1', operations: [], messages })
  }

  it('may be more than the manifest declares', () => expect(answer(['more', 'note'])).to.equal(null))

  for (const messages of [[], ['not'], 'note', undefined]) {
    it(`are refused where one is missing: ${JSON.stringify(messages)}`, () => {
      expect(answer(messages)?.message).to.match(/declares messages that its program does not name .*"note"/)
    })
  }
})
