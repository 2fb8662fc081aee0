import fs from 'node:fs'
import { expect } from 'chai'
import { refusalOf, TestDaemon, until } from '../helpers/daemon.ts'
import { CommandLine } from '../helpers/command-line.ts'

interface Note {
  readonly payload: unknown
  readonly sender: string
  readonly origin: string
  readonly id: string
  readonly workspace: string
}

describe('Messages between plugins', function () {
  this.timeout(30_000)
  let daemon: TestDaemon

  beforeEach(async () => {
    daemon = await TestDaemon.start({
      plugins: ['passes-it-on as first', 'passes-it-on as second', 'echoes'],
      config: 'limits: {max_payload_mb: 1}\nrestart: {backoff_max_ms: 50}\n',
    })
  })
  afterEach(() => daemon.stop())

  const send = async (from: string, recipient: string, type: string, payload?: unknown): Promise<unknown> =>
    (await daemon.call(from, 'send', { recipient, type, payload })).result
  const notesOf = async (id: string): Promise<Note[]> => (await daemon.call<Note[]>(id, 'notes')).result!
  const firstNote = async (id: string): Promise<Note> => {
    await until(async () => (await notesOf(id)).length > 0, `a message for ${id}`)
    return (await notesOf(id))[0]!
  }
  const logOf = async (id: string): Promise<string> =>
    (await daemon.system.get_plugin_logs({ plugin_id: id })).map(({ message }) => message).join('\n')

  it('reach the other plugin, which is told by the host who sent them', async () => {
    const sent = (await send('first', 'second', 'note', { text: 'ü', sender: 'forged' })) as {
      message_id: string
    }
    expect(await firstNote('second')).to.deep.equal({
      payload: { text: 'ü', sender: 'forged' },
      sender: 'first',
      origin: 'plugin',
      id: sent.message_id,
      workspace: fs.realpathSync(daemon.world.folder),
    })
    const history = await daemon.system.get_execution_history({ plugin_id: 'second' })
    expect(history.map(({ operation }) => operation)).to.include('message:note')
  })

  it('have no payload where none is given, and a large one beside their line', async () => {
    await send('first', 'second', 'note')
    const large = 'x'.repeat(700_000)
    await send('first', 'second', 'note', large)
    await until(async () => (await daemon.call('second', 'count')).result === 2, 'both messages')
    const [none, some] = await notesOf('second').then((notes) => notes.map(({ payload }) => payload))
    expect(none).to.equal(null)
    expect(some).to.equal(large)
  })

  it('come from applications as well, who name a sender', async () => {
    const { message_id: id } = await daemon.system.send_plugin_message('ci', 'second', 'note', [1, 2])
    expect(await firstNote('second')).to.deep.include({
      payload: [1, 2],
      sender: 'ci',
      origin: 'application',
      id,
    })
  })

  it('are sent by a plain client in one line', async () => {
    const client = await daemon.connect()
    const params = { sender: 'ci', recipient: 'second', type: 'note', payload: { plain: true } }
    const answer = await client.request('send_plugin_message', params)
    expect(answer).to.have.nested.property('result.message_id')
    expect((await firstNote('second')).payload).to.deep.equal({ plain: true })
  })

  it('are sent by the command line', async () => {
    const cli = new CommandLine(daemon.world.folder)
    const sent = await cli.json<{ message_id: string }>([
      'send',
      'ci',
      'second',
      'note',
      '--payload',
      '{"n":1}',
    ])
    expect(await firstNote('second')).to.deep.include({ payload: { n: 1 }, id: sent.message_id })
    const refused = await cli.refused('send', 'ci', 'second', 'from_a_friend')
    expect(refused.codes).to.deep.equal([4, 4])
    expect(await cli.said('info', 'second')).to.contain('from_a_friend')
  })

  describe('are refused in words', () => {
    const REFUSED = {
      'to nobody': ['nobody', 'note', 'PLUGIN_NOT_FOUND', 'Cannot find plugin "nobody"'],
      'to oneself': ['first', 'note', 'MESSAGE_REFUSED', 'it would be a message to itself'],
      'of an unknown type': ['second', 'not', 'MESSAGE_REFUSED', 'Did you mean "note"?'],
      'to one that takes none': [
        'echoes',
        'note',
        'MESSAGE_REFUSED',
        'it takes no such message. It takes none',
      ],
      'of a type for applications': [
        'second',
        'from_applications',
        'MESSAGE_REFUSED',
        'it takes it from applications alone',
      ],
      'of a type for another plugin': [
        'second',
        'from_a_friend',
        'MESSAGE_REFUSED',
        'it does not take it from "first". To allow it, add "first" to from',
      ],
      'with a type that is no name': ['second', '', 'PARAMS_INVALID', 'expected the params'],
    } as const
    for (const [what, [recipient, type, code, words]] of Object.entries(REFUSED)) {
      it(what, async () => {
        const refused = (await send('first', recipient, type)) as { code: string; message: string }
        expect(refused).to.deep.include({ name: 'PhantomError', code })
        expect(refused.message).to.contain(words)
        if (code === 'PARAMS_INVALID') return
        const [line] = await daemon.system.get_audit_log({ action: 'message.refused' })
        expect(line).to.deep.include({ plugin_id: 'first', outcome: 'refused' })
        expect(line?.details).to.deep.include({ recipient, type })
      })
    }

    it('beyond the largest payload, and the sender lives on', async () => {
      await daemon.call('first', 'fine')
      const pid = await daemon.pidOf('first')
      // One that the sender makes by itself: it could not be told to by a call that large.
      const refused = await daemon.call('first', 'send_large', {
        recipient: 'second',
        type: 'note',
        bytes: 1_100_000,
      })
      expect(refused.result).to.deep.include({ code: 'PAYLOAD_TOO_LARGE' })
      expect(await daemon.pidOf('first')).to.equal(pid)
      const words = await refusalOf(
        daemon.system.send_plugin_message('ci', 'second', 'note', 'x'.repeat(1_100_000)),
      )
      expect(words.code).to.equal('PAYLOAD_TOO_LARGE')
    })

    it('for applications by the same rules', async () => {
      const of = (sender: string, type: string) =>
        refusalOf(daemon.system.send_plugin_message(sender, 'second', type)).then(({ code }) => code)
      expect(await of('ci', 'from_a_friend')).to.equal('MESSAGE_REFUSED')
      expect(await of('second', 'note')).to.equal('MESSAGE_REFUSED')
      expect(await of('No Id', 'note')).to.equal('PARAMS_INVALID')
      await daemon.system.send_plugin_message('friend', 'second', 'from_a_friend')
      await daemon.system.send_plugin_message('ci', 'second', 'from_applications')
      await until(async () => (await daemon.call('second', 'count')).result === 2, 'both messages')
      const [line] = await daemon.system.get_audit_log({ action: 'request.refused' })
      expect(line?.details).to.deep.include({ method: 'send_plugin_message', code: 'MESSAGE_REFUSED' })
    })
  })

  it('that fail stand in the log, the figures and the history of their recipient', async () => {
    expect(await send('first', 'second', 'fail')).to.have.property('message_id')
    expect(await send('first', 'second', 'checked', { n: 'one' })).to.have.property('message_id')
    await daemon.system.send_plugin_message('ci', 'second', 'fail')
    await until(async () => (await logOf('second')).includes('as "ci" failed'), 'the last line')
    const log = await logOf('second')
    expect(log).to.contain('the message "fail" of "first" failed: no such luck')
    expect(log).to.contain(
      'the message "checked" of "first" failed: Cannot run "message:checked" of "second"',
    )
    expect(log).to.contain('the message "fail" of an application as "ci" failed: no such luck')
    expect((await daemon.call('second', 'count')).result).to.equal(0)
    const history = await daemon.system.get_execution_history({ plugin_id: 'second' })
    expect(
      history.filter(({ operation }) => operation === 'message:fail').map(({ outcome }) => outcome),
    ).to.deep.equal(['failed', 'failed'])
  })

  it('end at the limits of their recipient', async () => {
    await send('first', 'second', 'hang')
    await until(async () => (await logOf('second')).includes('max_execution_time_ms'), 'the deadline')
    expect((await daemon.call('second', 'fine')).result).to.equal('fine')
  })

  it('that end their recipient are not handed over again', async () => {
    await send('first', 'second', 'crash')
    await until(async () => (await daemon.info('second')).last_exit?.class === 'crash', 'the crash')
    expect((await daemon.call('second', 'fine')).result).to.equal('fine')
    expect(await logOf('second')).to.contain('the message "crash" of "first" failed')
    expect((await daemon.call('first', 'fine')).result).to.equal('fine')
    expect(await send('first', 'second', 'note', 'after it')).to.have.property('message_id')
    expect((await firstNote('second')).payload).to.equal('after it')
  })

  it('are refused while their recipient is switched off, and come when it is on again', async () => {
    await daemon.system.update_plugin_config('second', { enabled: false })
    expect(await send('first', 'second', 'note')).to.deep.include({ code: 'PLUGIN_DISABLED' })
    await daemon.system.update_plugin_config('second', { enabled: true })
    await send('first', 'second', 'note', 'on again')
    expect((await firstNote('second')).payload).to.equal('on again')
  })

  it('show in what is told of their recipient', async () => {
    const { messages } = await daemon.info('second')
    expect(messages.find(({ type }) => type === 'from_a_friend')).to.deep.equal({
      type: 'from_a_friend',
      description: '',
      from: ['friend'],
      input_schema: null,
    })
  })
})

describe('Messages that the code of a plugin does not take', function () {
  this.timeout(30_000)

  it('fail its start in words', async () => {
    const daemon = await TestDaemon.start({
      prepare: (world) => world.addManifest('promises', '[[messages]]\ntype = "note"\nfrom = ["*"]\n'),
    })
    try {
      const error = await daemon.refusal('promises', 'fine')
      expect(error.code).to.equal('PLUGIN_START_FAILED')
      expect(error.message).to.contain(
        'plugin.toml declares messages that the code lacks: "note". The code has none',
      )
    } finally {
      await daemon.stop()
    }
  })
})
