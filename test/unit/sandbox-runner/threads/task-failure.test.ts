import { expect } from 'chai'
import { toTaskError, toTaskFailure } from '../../../../sandbox-runner/threads/task-failure.ts'

/** As it arrives behind a message between threads. */
function overThere(thrown: unknown, place: string | null = null): Error & Record<string, unknown> {
  return toTaskError(structuredClone(toTaskFailure(thrown)), place) as Error & Record<string, unknown>
}

describe('A failure that crosses threads', () => {
  it('keeps name, words, code, stack and causes, and says where it was', () => {
    const cause = Object.assign(new Error('inner'), {
      code: 'ERR_ACCESS_DENIED',
      permission: 'FileSystemRead',
    })
    const error = overThere(Object.assign(new RangeError('outer', { cause }), { code: 'E_OUTER' }), 'Item 3')
    expect(error).to.be.instanceOf(Error)
    expect(error).to.deep.include({ name: 'RangeError', message: 'Item 3: outer', code: 'E_OUTER' })
    expect(error.stack).to.include('task-failure.test.ts')
    expect(error.cause).to.deep.include({
      message: 'inner',
      code: 'ERR_ACCESS_DENIED',
      permission: 'FileSystemRead',
    })
  })

  it('takes whatever was thrown', () => {
    const hostile = {
      get message() {
        throw new Error('from a getter')
      },
    }
    for (const thrown of ['text', undefined, null, 7, hostile, Symbol('s')])
      expect(overThere(thrown).message).to.be.a('string')
    const circle = new Error('round')
    circle.cause = circle
    expect(overThere(circle).message).to.equal('round')
  })
})
