import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'
import { CommandLine } from '../helpers/command-line.ts'
import { refusalOf, TestDaemon, until, World } from '../helpers/daemon.ts'
import { needPython } from '../helpers/native-programs.ts'
import { skipBecause } from '../helpers/skip.ts'

const OPERATIONS = `
def read(path, call):
    with open(path) as file:
        return file.read()

def write(path, call):
    with open(path, 'w') as file:
        return file.write('x')

def fail(data, call):
    raise ValueError('no such luck')

def leave(data, call):
    raise SystemExit(3)

def say(data, call):
    call.log(*data)

def no_json(data, call):
    return float('nan')

def wait(data, call):
    call.progress(0.5, 'half of it')
    call.sleep(60)

def tell(data, call):
    call.log('debug', 'too little')
    call.log('warn', 'mind this')
    return [call.config['depth'], call.workspace, call.data_dir, call.execution_id, call.is_cancelled]

def send(data, call):
    return len(call.send_message(*data)) > 0

noted = []

def note(payload, call):
    noted.append([call.sender, call.origin, payload])

OPERATIONS = {f.__name__: f for f in (read, write, fail, leave, say, no_json, wait, tell, send)}
OPERATIONS['noted'] = lambda data, call: noted
MESSAGES = {'note': note}
`
const MORE = `
[permissions]
permissions = ["fs_read:./given"]
[[messages]]
type = "note"
from = ["*"]
[configuration]
type = "object"
properties = { depth = { type = "integer", default = 3 } }
`

describe('the wire of a plugin that phantom new wrote in Python', function () {
  this.timeout(60_000)
  const id = 'speaks'
  let daemon: TestDaemon | null = null

  before(async function () {
    needPython.call(this)
    const scratch = new World()
    try {
      const { code, stderr } = await new CommandLine(scratch.folder).run(['new', id, '--type', 'python'])
      expect(code, stderr).to.equal(0)
      daemon = await TestDaemon.start({
        files: { 'given/a.txt': 'given' },
        prepare(world) {
          const folder = world.path('plugins', id)
          fs.cpSync(scratch.path('plugins', id), folder, { recursive: true })
          fs.writeFileSync(path.join(folder, 'operations.py'), OPERATIONS)
          const manifest = fs.readFileSync(path.join(folder, 'plugin.toml'), 'utf8')
          // Any operation that the code has, none of them declared.
          const undeclared = manifest.slice(0, manifest.indexOf('[[operations]]'))
          fs.writeFileSync(path.join(folder, 'plugin.toml'), undeclared + MORE)
          const main = fs.readFileSync(path.join(folder, 'main.py'), 'utf8')
          const withMessages = main
            .replace('import OPERATIONS', 'import MESSAGES, OPERATIONS')
            .replace('serve(OPERATIONS)', 'serve(OPERATIONS, MESSAGES)')
          fs.writeFileSync(path.join(folder, 'main.py'), withMessages)
          world.addPlugin('passes-it-on as other')
        },
      })
      if ((await daemon.system.get_status()).tier !== 'namespace')
        skipBecause.call(this, 'native plugins need namespaces')
      await daemon.approve(id)
    } finally {
      scratch.remove()
    }
  })
  after(() => daemon?.stop())

  it('sends messages and takes them', async () => {
    expect((await daemon!.call(id, 'send', ['other', 'note', { n: 1 }])).result).to.equal(true)
    await until(async () => (await daemon!.call('other', 'count')).result === 1, 'the message')
    const { success, error } = await daemon!.call(id, 'send', ['other', 'from_a_friend'])
    expect(success).to.equal(false)
    expect(error).to.contain('it does not take it from "speaks"')
    await daemon!.call('other', 'send', { recipient: id, type: 'note', payload: [1, null] })
    await until(
      async () => ((await daemon!.call<unknown[]>(id, 'noted')).result ?? []).length === 1,
      'the answer to it',
    )
    expect((await daemon!.call(id, 'noted')).result).to.deep.equal([['other', 'plugin', [1, null]]])
  })

  it('reads what was granted, and names what was not', async () => {
    expect((await daemon!.call(id, 'read', 'given/a.txt')).result).to.equal('given')
    for (const [operation, file, missing] of [
      ['read', '/etc/hostname', 'fs_read:/etc/hostname'],
      ['write', 'given/a.txt', 'fs_write:./given/a.txt'],
    ] as const) {
      const { code, details } = await daemon!.refusal(id, operation, file)
      expect([code, details['missing']]).to.deep.equal(['PERMISSION_DENIED', [missing]])
    }
    const { success, error } = await daemon!.call(id, 'read', 'given/none.txt')
    expect([success, error]).to.deep.equal([false, "[Errno 2] No such file or directory: 'given/none.txt'"])
  })

  it('fails in the words of an exception, and goes on', async () => {
    const failed = await daemon!.call(id, 'fail')
    expect([failed.success, failed.error]).to.deep.equal([false, 'no such luck'])
    const { success, error } = await daemon!.call(id, 'no_json')
    expect(success).to.equal(false)
    expect(error).to.match(/not JSON compliant/)
    for (const [operation, input, words] of [
      ['leave', null, 'SystemExit: 3'],
      ['say', ['fatal', 'x'], "Cannot log: the level is 'fatal', expected one of debug, info, warn, error"],
    ] as const) {
      const told = await daemon!.call(id, operation, input, { timeout_ms: 10_000 })
      expect([told.success, told.error]).to.deep.equal([false, words])
    }
    expect((await daemon!.call(id, 'say', ['warn', 5])).warnings).to.deep.equal(['5'])
    expect((await daemon!.refusal(id, 'dance')).code).to.equal('OPERATION_NOT_FOUND')
  })

  it('knows its call and its plugin, and logs by level', async () => {
    const { result, execution_id, warnings, logs } = await daemon!.call<unknown[]>(id, 'tell')
    const { folder } = daemon!.world
    expect(result).to.have.ordered.members([3, folder, result![2], execution_id, false])
    expect(String(result![2])).to.match(/\/data\/speaks$/)
    expect([warnings, logs]).to.deep.equal([['mind this'], ['warn: mind this']])
  })

  it('tells how far it is, and ends when its call is cancelled, in the same process', async () => {
    const pid = await daemon!.pidOf(id)
    const cancelled = new AbortController()
    const seen: unknown[] = []
    const call = daemon!.call(id, 'wait', null, {
      signal: cancelled.signal,
      on_progress: ({ fraction, message }) => void seen.push([fraction, message]),
    })
    const refused = refusalOf(call)
    await until(() => seen.length > 0, 'its progress')
    cancelled.abort()
    expect((await refused).code).to.equal('CALL_CANCELLED')
    expect(seen).to.deep.equal([[0.5, 'half of it']])
    expect((await daemon!.call(id, 'read', 'given/a.txt')).result).to.equal('given')
    expect(await daemon!.pidOf(id)).to.equal(pid)
  })
})
