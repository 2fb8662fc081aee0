import { expect } from 'chai'
import { toExitInfo, type ProcessEnd } from '../../../../host/process/exit-reason.ts'

const classOf = (end: Partial<ProcessEnd>): string =>
  toExitInfo(
    {
      code: null,
      signal: null,
      isIdle: false,
      cause: null,
      violation: null,
      breach: null,
      isNearMemoryLimit: false,
      stderrTail: '',
      ...end,
    },
    1,
  ).class

describe('The reason of a process’s end', () => {
  for (const [whose, words] of Object.entries({
    V8: 'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory',
    'C++': "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc",
    Rust: 'memory allocation of 1048576 bytes failed',
    Go: 'fatal error: runtime: out of memory\n\nruntime stack:',
    'Go, by mmap': 'fatal error: cannot allocate memory',
    Python: 'Traceback (most recent call last):\n  File "main.py", line 3, in <module>\nMemoryError',
  })) {
    it(`is memory by the last words of ${whose}`, () =>
      expect(classOf({ code: 134, stderrTail: `${words}\n` })).to.equal('oom'))
  }

  it('is no memory where the words stand inside of others', () => {
    expect(classOf({ code: 1, stderrTail: 'it said: memory allocation of 5 bytes failed\n' })).to.equal(
      'crash',
    )
    expect(classOf({ code: 1, stderrTail: 'NoMemoryError: no\n' })).to.equal('crash')
  })

  it('is memory for whatever ends abnormally with nearly all of it, and for nothing that ends in order', () => {
    const isNearMemoryLimit = true
    expect(classOf({ isNearMemoryLimit, signal: 'SIGSEGV' })).to.equal('oom')
    expect(classOf({ isNearMemoryLimit, code: 134 })).to.equal('oom')
    expect(classOf({ isNearMemoryLimit, code: 3 })).to.equal('oom')
    expect(classOf({ isNearMemoryLimit, code: 0, isIdle: true })).to.equal('expected')
    expect(classOf({ isNearMemoryLimit, code: 0 })).to.equal('crash')
    expect(classOf({ signal: 'SIGSEGV' })).to.equal('crash')
  })

  it('is what the host wanted where the host wanted it', () =>
    expect(classOf({ isNearMemoryLimit: true, signal: 'SIGKILL', cause: 'cpu_limit' })).to.equal('cpu_limit'))
})
