import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { createConnection } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { METHOD_ROLES } from '../../src/contract/method-roles.ts'
import { pageFiles, ROOT, samplesOf, wireExamples, type Sample } from '../helpers/docs-pages.ts'
import { skipBecause } from '../helpers/skip.ts'

const SAMPLE_TIMEOUT_MS = 60_000
const PLUGINS = 'my-plugins'
const SOCKET = `.phantom/${PLUGINS}/phantom.sock`
const ADMIN_SOCKET = `.phantom/${PLUGINS}/phantom-admin.sock`

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

interface Expectation {
  /** The sample talks to a daemon that is served already. */
  readonly served?: boolean
  readonly needs?: readonly string[]
  check(outcome: Outcome): void
}

const GREETING = /Hello, Ada, from process \d+!/

/** What each sample of the docs must do. A sample without an entry, or an entry without a sample, fails. */
const EXPECTED: Readonly<Record<string, Expectation>> = {
  'readme-run': {
    check: ({ stdout }) => expect((JSON.parse(stdout) as Greeting).message).to.match(GREETING),
  },
  'readme-api': {
    check: ({ stdout }) => expect(stdout).to.match(/^true Hello, Ada, from process \d+! \d+ bytes resident/),
  },
  'readme-pipeline': {
    check: ({ stdout }) => {
      const { row_count, analysis } = JSON.parse(stdout) as {
        row_count: number
        analysis: { mean: number }[]
      }
      expect([row_count, analysis[0]?.mean]).to.deep.equal([2, 75])
    },
  },
  smallest: { check: () => undefined },
  typescript: { check: () => undefined },
  threads: { check: () => undefined },
  validate: { check: ({ stdout }) => expect(stdout.match(/ valid$/gm)).to.have.length(2) },
  files: {
    check: ({ stdout, stderr }) => {
      expect(stdout).to.equal('2\nexit code 4\n')
      expect(stderr).to.include('"fs_read:/etc/hostname"')
    },
  },
  learn: {
    needs: ['bwrap'],
    check: ({ stdout }) => {
      expect(stdout).to.contain(
        'permissions = ["fs_read:./notes.md"]\n# asked for and not used: fs_read:./texts\n',
      )
      expect(stdout).to.contain('+ permissions = ["fs_read:./texts", "fs_read:./notes.md"]')
      expect(stdout).to.contain('Nothing was written')
    },
  },
  'native-python': {
    needs: ['bwrap', '/usr/bin/python3'],
    check: ({ stdout, stderr }) => {
      expect(stdout).to.match(/words.* {2}valid\n/)
      expect(stdout.replace(/.*valid\n/, '').replaceAll(/\s+/g, '')).to.equal(
        '{"words":2,"characters":9}3exitcode4',
      )
      expect(stderr).to.contain('permissions = ["fs_read:/etc/hostname"]')
    },
  },
  messages: { check: ({ stdout }) => expect(JSON.parse(stdout)).to.deep.equal({ built: 'x86' }) },
  testing: { check: ({ stdout }) => expect(stdout).to.match(/pass 2\b[\s\S]*fail 0\b/) },
  serve: { check: ({ stdout }) => expect(stdout).to.match(/isolation\s+(namespace|process)/) },
  look: {
    served: true,
    check: ({ stdout }) => {
      expect(stdout).to.match(GREETING)
      expect(stdout).to.match(/^ *status +healthy$/m)
      expect(stdout).to.match(/greeter +hello +succeeded/)
    },
  },
  reload: {
    served: true,
    check: ({ stdout }) => {
      expect(stdout).to.match(
        /^greeter {2}generation (\d+) serves, after .*\ngreeter {2}generation (\d+) serves/,
      )
      expect(stdout).to.match(/current +1\.0\.0 +rollback[^]*rolled_back +1\.0\.0 +call/)
    },
  },
  'socat-list': {
    served: true,
    needs: ['socat'],
    check: ({ stdout }) => expect((JSON.parse(stdout) as { result: unknown[] }).result).to.not.be.empty,
  },
  'socat-admin': {
    served: true,
    needs: ['socat'],
    check: ({ stdout }) =>
      expect((JSON.parse(stdout) as { result: object }).result).to.include({ plugin_id: 'greeter' }),
  },
  'python-client': {
    served: true,
    needs: ['python3'],
    check: ({ stdout }) => {
      expect(stdout).to.match(/^plugins \[.*'counter'/m)
      expect(stdout).to.match(/^progress 1(\.0)? 3 of 3$/m)
      expect(stdout).to.match(/^result True \{'counted': 3\}\nended CALL_CANCELLED$/m)
    },
  },
}

interface Greeting {
  readonly message: string
}

const samples = pageFiles().flatMap(samplesOf)
/** Those that begin with `phantom new` are run by new-plugin.test.ts, which has their compilers. */
const runs = samples.filter(({ kind, name }) => kind === 'run' && !name.startsWith('new-'))

describe('the samples of README.md and docs/', function () {
  this.timeout(SAMPLE_TIMEOUT_MS)
  const scratch = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'phantom-docs-'))

  before(() => {
    // As a project is, where a daemon of root's has plugins of another uid.
    fs.chmodSync(scratch, 0o755)
    prepare(scratch)
  })
  after(() => fs.rmSync(scratch, { recursive: true, force: true }))

  it('each have something expected of them', () => {
    expect(runs.map(({ name }) => name)).to.have.members(Object.keys(EXPECTED))
  })

  for (const sample of runs.filter(({ name }) => EXPECTED[name]?.served !== true)) {
    it(`"${sample.name}" of ${sample.page} does what the page says`, async function () {
      skipUnlessThere(this, sample)
      await expectSample(sample, scratch)
    })
  }

  it('an input that does not fit its schema ends as README.md says', async () => {
    const args = ['run', 'greeter', 'hello', '--plugins', PLUGINS, '--input', '{"nam": "Ada"}']
    const { code, stderr } = await runProgram(path.join(scratch, 'bin/phantom'), args, scratch)
    expect([code, stderr.includes('input.name: is missing')]).to.deep.equal([8, true])
  })

  describe('with a daemon that is served', () => {
    let daemon: ChildProcess

    before(async () => (daemon = await serve(scratch)))
    after(async () => {
      const ended = once(daemon, 'exit')
      daemon.kill('SIGTERM')
      expect(await ended).to.deep.equal([0, null])
    })

    for (const sample of runs.filter(({ name }) => EXPECTED[name]?.served === true)) {
      it(`"${sample.name}" of ${sample.page} does what the page says`, async function () {
        skipUnlessThere(this, sample)
        await expectSample(sample, scratch)
      })
    }

    it('every request of docs/protocol.md is answered in the shape that stands there', async () => {
      const examples = wireExamples('docs/protocol.md')
      expect(examples).to.have.length.greaterThan(9)
      for (const { request, answer } of examples) {
        const { method } = JSON.parse(request) as { method: keyof typeof METHOD_ROLES }
        // The page shows the history of somebody else.
        const isOperators = METHOD_ROLES[method] === 'operator' || method === 'get_execution_history'
        const socket = isOperators ? ADMIN_SOCKET : SOCKET
        const found = await ask(path.join(scratch, socket), request)
        const shown = JSON.parse(answer) as Reply
        expectShape(found, shown, request)
        expect(verdictOf(found), request).to.deep.equal(verdictOf(shown))
      }
    })
  })
})

function skipUnlessThere(test: Mocha.Context, { name }: Sample): void {
  const missing = EXPECTED[name]!.needs?.find((program) => !isOnPath(program))
  if (missing !== undefined) skipBecause.call(test, `${missing} is not installed here`)
}

/** Files of the samples, a `phantom` on PATH, and our package by its name. */
function prepare(scratch: string): void {
  for (const { name, text } of samples.filter(({ kind }) => kind === 'file')) {
    fs.mkdirSync(path.join(scratch, path.dirname(name)), { recursive: true })
    fs.writeFileSync(path.join(scratch, name), text)
  }
  fs.mkdirSync(path.join(scratch, 'bin'))
  const cli = path.join(ROOT, 'src/cli/main.ts')
  fs.writeFileSync(path.join(scratch, 'bin/phantom'), `#!/bin/sh\nexec "${process.execPath}" "${cli}" "$@"\n`)
  fs.chmodSync(path.join(scratch, 'bin/phantom'), 0o755)
  const index = pathToFileURL(path.join(ROOT, 'src/index.ts')).href
  fs.writeFileSync(
    path.join(scratch, 'bin/package.mjs'),
    `import { registerHooks } from 'node:module'
registerHooks({
  resolve: (name, context, next) => next(name === '@phantom-ml/core' ? '${index}' : name, context),
})
`,
  )
}

async function expectSample(sample: Sample, scratch: string): Promise<void> {
  const outcome = await runSample(sample, scratch)
  const { code, stdout, stderr } = outcome
  expect(code, `${sample.name}:\n${stdout}${stderr}`).to.equal(0)
  const output = samples.find(({ kind, name }) => kind === 'output' && name === sample.name)
  if (output !== undefined) expect(stdout).to.equal(output.text)
  EXPECTED[sample.name]!.check(outcome)
}

async function runSample({ name, language, text }: Sample, scratch: string): Promise<Outcome> {
  switch (language) {
    case 'sh':
      return await runProgram('bash', ['-ec', text.replaceAll('npm run -s phantom --', 'phantom')], scratch)
    case 'python':
      return await runProgram('python3', ['-c', text], scratch)
    case 'javascript': {
      const file = path.join(scratch, `${name}.mjs`)
      fs.writeFileSync(file, text)
      return await runProgram(
        process.execPath,
        ['--import', path.join(scratch, 'bin/package.mjs'), file],
        scratch,
      )
    }
    default:
      throw new Error(`Cannot run the sample "${name}": no rule for the language "${language}"`)
  }
}

function runProgram(file: string, args: string[], cwd: string): Promise<Outcome> {
  // Colours and mocha's own marks would stand in the way of what is compared.
  const { NODE_TEST_CONTEXT: _, FORCE_COLOR: _colour, ...rest } = process.env
  const env = { ...rest, NO_COLOR: '1', PATH: `${path.join(cwd, 'bin')}:${process.env['PATH']}` }
  return new Promise((resolve) => {
    execFile(file, args, { cwd, env, timeout: SAMPLE_TIMEOUT_MS }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, stdout, stderr })
    })
  })
}

async function serve(scratch: string): Promise<ChildProcess> {
  const args = [path.join(ROOT, 'host/main.ts'), '--plugins', PLUGINS, '--environment', 'test']
  const daemon = spawn(process.execPath, args, { cwd: scratch, stdio: ['ignore', 'ignore', 'pipe'] })
  let words = ''
  daemon.stderr.setEncoding('utf8').on('data', (chunk: string) => (words += chunk))
  const socket = path.join(scratch, SOCKET)
  while (!(await answers(socket))) {
    if (daemon.exitCode !== null) throw new Error(`The daemon ended with code ${daemon.exitCode}: ${words}`)
    await delay(50)
  }
  return daemon
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const client = createConnection(socket)
    client.once('connect', () => resolve(true))
    client.once('error', () => resolve(false))
    client.once('connect', () => client.destroy())
  })
}

/** Sends one line and reads its answer, on a connection of its own; notifications may come before. */
async function ask(socket: string, request: string): Promise<Reply> {
  const client = createConnection(socket)
  client.end(`${request}\n`)
  for await (const line of createInterface({ input: client })) {
    const message = JSON.parse(line) as Reply & { readonly method?: string }
    if (message.method !== undefined) continue
    client.destroy()
    return message
  }
  throw new Error(`Cannot read an answer to ${request}: the daemon closed the connection`)
}

/** Everything that the page shows must be there, of the same kind. */
function expectShape(found: unknown, shown: unknown, place: string): void {
  if (Array.isArray(shown)) {
    expect(found, place).to.be.an('array')
    if (shown.length > 0) expectShape((found as unknown[])[0], shown[0], `${place}[0]`)
  } else if (typeof shown === 'object' && shown !== null) {
    expect(found, place).to.be.an('object')
    for (const [key, value] of Object.entries(shown)) {
      expect(found, place).to.have.property(key)
      expectShape((found as Record<string, unknown>)[key], value, `${place}.${key}`)
    }
  } else if (shown !== null && found !== null) {
    expect(typeof found, place).to.equal(typeof shown)
  }
}

interface Reply {
  readonly id: unknown
  readonly error?: { readonly code: number; readonly data: { readonly name: string } }
  readonly result?: Readonly<Record<string, unknown>>
}

/** What must not only be of the same kind, but the same. */
function verdictOf({ id, error, result }: Reply): unknown[] {
  const { success, cancelled, stopped, valid } = result ?? {}
  return [id, error?.code, error?.data.name, success, cancelled, stopped, valid]
}

function isOnPath(program: string): boolean {
  try {
    execFileSync(program, [program === 'socat' ? '-V' : '--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
