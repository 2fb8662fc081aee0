import { expect } from 'chai'
import { inWords } from '../../../src/cli/report-error.ts'
import { failedStart } from '../../../src/cli/doctor.ts'
import { PhantomError } from '../../../src/contract/phantom-error.ts'

describe('inWords()', () => {
  it('adds the nearest name that the daemon gave, once', () => {
    const details = { nearest: 'data_processor' }
    const silent = new PhantomError('PLUGIN_NOT_FOUND', 'Cannot find "data": there is no such plugin', {
      details,
    })
    const spoken = new PhantomError('PLUGIN_NOT_FOUND', 'Cannot find "x". Did you mean "data_processor"?', {
      details,
    })
    expect(inWords(silent)).to.equal(
      'Cannot find "data": there is no such plugin. Did you mean "data_processor"?',
    )
    expect(inWords(spoken)).to.equal(spoken.message)
  })

  it('adds the whole line to paste where the sentence has a part of it', () => {
    const message =
      'Cannot finish "a" of "b": process is not granted; to allow it add permissions = ["process"]'
    const details = { manifest_table: 'permissions', manifest_line: 'permissions = ["process"]' }
    expect(inWords(new PhantomError('PERMISSION_DENIED', message, { details }))).to.equal(message)
    const manifest_line = 'permissions = ["env:TZ", "process"]'
    const longer = new PhantomError('PERMISSION_DENIED', message, { details: { ...details, manifest_line } })
    expect(inWords(longer)).to.equal(`${message}\n  in plugin.toml, [permissions]: ${manifest_line}`)
  })

  it("adds the daemon's chain of causes where the message does not have it", () => {
    const error = new PhantomError('PLUGIN_START_FAILED', 'Cannot start "x"', { cause: 'spawn EAGAIN' })
    expect(inWords(error)).to.equal('Cannot start "x"\n  cause: spawn EAGAIN')
  })
})

describe('failedStart()', () => {
  it('makes a finding of a daemon that cannot start, with the last sentence as the remedy', () => {
    const message = 'Cannot use PHANTOM_RUNTIME "/x": there is no such file. Looked once. Set it to a Node'
    expect(failedStart(new PhantomError('RUNTIME_NOT_FOUND', message))).to.deep.equal({
      name: 'runtime',
      ok: false,
      found: 'Cannot use PHANTOM_RUNTIME "/x": there is no such file. Looked once',
      mechanism: null,
      remedy: 'Set it to a Node',
    })
  })
})
