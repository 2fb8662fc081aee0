import { expect } from 'chai'
import { TestDaemon } from '../helpers/daemon.ts'

describe('A plugin of another version of contract Runner', function () {
  this.timeout(30_000)
  let daemon: TestDaemon

  afterEach(() => daemon.stop())

  const startWith = async (answer: object): Promise<void> => {
    daemon = await TestDaemon.start({
      plugins: ['answers-for-its-runner'],
      files: { 'plugins/answers_for_its_runner/answer.json': JSON.stringify(answer) },
    })
  }

  it('of a newer major is refused by name, and not tried again', async () => {
    await startWith({ protocol_version: '2.0', operations: [], hooks: [] })
    const error = await daemon.refusal('answers_for_its_runner', 'any')
    expect(error.code).to.equal('PLUGIN_START_FAILED')
    expect(error.message).to.equal(
      'Cannot start "answers_for_its_runner": it speaks protocol "2.0", this daemon 1.2. ' +
        'Install a newer @phantom-ml/core, or an older version of the plugin',
    )
    expect((await daemon.info('answers_for_its_runner')).state).to.equal('failed')
  })

  it('that says none is refused in words', async () => {
    await startWith({ operations: [] })
    const error = await daemon.refusal('answers_for_its_runner', 'any')
    expect(error.message).to.contain('with the protocol version missing, expected a text like "1.2"')
  })
})
