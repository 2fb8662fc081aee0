import { execFile } from 'node:child_process'
import path from 'node:path'
import { expect } from 'chai'

const ROOT = path.resolve(import.meta.dirname, '../..')

/** A test of each run of mocha: of the two beside each other, and of the one by itself. */
const TITLES = [
  'writes nothing, with --dry-run',
  'say every skip with its reason',
  'tries at least 80 things',
]

interface Ended {
  readonly code: number
  readonly lines: readonly string[]
  readonly stderr: string
}

describe('npm test', function () {
  this.timeout(60_000)

  it('ends with the sum of all of its runs, on one line', async () => {
    const { code, lines } = await npmTest('--dry-run', '--grep', TITLES.join('|'))
    expect(lines.filter((line) => line.endsWith('skipped'))).to.deep.equal([
      `${TITLES.length} passed, 0 failed, 0 skipped`,
    ])
    expect(code).to.equal(0)
  })

  it('fails without a sum where a run of it does not come to its end', async () => {
    const { code, lines, stderr } = await npmTest('--require', './no-such-file.mjs')
    expect(lines.filter((line) => line.endsWith('skipped'))).to.deep.equal([])
    expect(stderr).to.contain('Cannot tell how the tests ended: mocha ended with 1')
    expect(code).to.equal(1)
  })
})

function npmTest(...args: readonly string[]): Promise<Ended> {
  const command = [path.join(ROOT, '.scripts/test.mjs'), ...args]
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: ROOT }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), lines: stdout.trimEnd().split('\n'), stderr }),
    )
  })
}
