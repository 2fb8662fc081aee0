import { expect } from 'chai'
import type { PluginExecutionResult } from '../../../src/contract/execution.ts'
import { CanonicalLines } from '../../../src/rpc/canonical-lines.ts'
import { ResultLines, writeResultText } from '../../../src/rpc/result-lines.ts'

const REQUEST =
  '{"jsonrpc":"2.0","id":12,"method":"execute_plugin","params":{"plugin_id":"a","operation":"b"},"payload_bytes":5}'
const ANSWER = '{"jsonrpc":"2.0","id":7,"result":null,"payload_bytes":104}'

/** Changes one place of a text at random: what an attacker, or a fault, would do. */
function mutate(text: string, random: () => number): string {
  const at = Math.floor(random() * text.length)
  const piece = ['"', '}', '{', ',', ':', '0', '-', ' ', '\\', 'é', '"payload_bytes":1', ',"params":{}'][
    Math.floor(random() * 12)
  ]!
  return random() < 0.5
    ? text.slice(0, at) + piece + text.slice(at)
    : text.slice(0, at) + piece + text.slice(at + 1)
}

function seeded(seed: number): () => number {
  let state = seed
  return () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648
}

describe('CanonicalLines', () => {
  it('reads what our own peers write just as the real parser does', () => {
    const lines = new CanonicalLines()
    for (const line of [REQUEST, REQUEST, ANSWER, '{"jsonrpc":"2.0","id":0,"result":null}']) {
      expect(lines.read(line), line).to.deep.equal(JSON.parse(line))
    }
  })

  it('reads a changed line just as the real parser does, or leaves it to that', () => {
    const random = seeded(42)
    const lines = new CanonicalLines()
    let read = 0
    for (let n = 0; n < 200_000; n += 1) {
      const line = mutate(mutate(random() < 0.5 ? REQUEST : ANSWER, random), random)
      const message = lines.read(line)
      if (message === null) continue
      read += 1
      expect(message, line).to.deep.equal(JSON.parse(line))
    }
    expect(read).to.be.above(100)
  })

  for (const line of [
    '{"jsonrpc":"2.0","id":1,"method":"a","params":{},"id":2,"x":{},"payload_bytes":5}',
    '{"jsonrpc":"2.0","id":1,"method":"a","params":{}},"payload_bytes":5}',
    '{"jsonrpc":"2.0","id":01,"result":null}',
    '{"jsonrpc":"2.0","id":1,"result":null,"payload_bytes":007}',
    '{"jsonrpc":"2.0","id":1,"method":"a","params":{"__proto__":1},"payload_bytes":5}',
    '{"jsonrpc":"2.0","id":1,"method":"a","params":[1],"payload_bytes":5}',
    '{"jsonrpc":"2.0","id":12345678901234567890,"result":null}',
  ]) {
    it(`leaves ${line} to the real parser`, () => {
      expect(new CanonicalLines().read(line)).to.equal(null)
    })
  }
})

describe('ResultLines', () => {
  const result: PluginExecutionResult = {
    plugin_id: 'echo',
    execution_id: 'ab12-1-z',
    success: true,
    result: null,
    error: null,
    warnings: [],
    logs: [],
    execution_time_ms: 1.25,
    memory_used_bytes: 5_000_000,
    cpu_time_ms: 10,
    created_files: [],
    network_requests: 0,
    metadata: { figures: 'window', generation: 1 },
  }
  const lineOf = (of: PluginExecutionResult): string =>
    `{"jsonrpc":"2.0","id":3,"result":${writeResultText(of)},"payload_bytes":9}`

  it('writes JSON of the whole result, whatever it holds', () => {
    for (const one of [
      result,
      { ...result, success: false, error: 'é "x"', logs: ['info: a'], warnings: ['b'] },
    ]) {
      expect(JSON.parse(writeResultText(one))).to.deep.equal(one)
    }
  })

  it('reads it back as the real parser does, with lists that no two results share', () => {
    const lines = new ResultLines()
    const first = lines.read(lineOf(result))!['result'] as PluginExecutionResult
    first.logs.push('changed by the application')
    const second = lines.read(lineOf({ ...result, execution_id: 'ab12-1-10' }))!['result']
    expect(second).to.deep.equal({ ...result, execution_id: 'ab12-1-10' })
  })

  it('leaves results with lists, and any other line, to the real parser', () => {
    const lines = new ResultLines()
    expect(lines.read(lineOf({ ...result, logs: ['info: a'] }))).to.equal(null)
    expect(lines.read('{"jsonrpc":"2.0","id":3,"result":{}}')).to.equal(null)
  })

  for (const [name, written, forged] of [
    ['a number for metadata', '"metadata":{"figures":"window","generation":1}', '"metadata":1'],
    ['a list for metadata', '"metadata":{"figures":"window","generation":1}', '"metadata":[]'],
    ['nothing for metadata', '"metadata":{"figures":"window","generation":1}', '"metadata":null'],
    ['objects in metadata', '"figures":"window"', '"figures":{}'],
    ['a text for a list', '"warnings":[]', '"warnings":""'],
    ['a key of poison', '"figures":"window"', '"__proto__":"window"'],
  ] as const) {
    it(`leaves a result with ${name} to the real parser`, () => {
      const line = lineOf(result)
      expect(line).to.include(written)
      expect(new ResultLines().read(line.replace(written, forged))).to.equal(null)
    })
  }
})
