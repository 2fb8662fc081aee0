import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { execFileSync } from 'node:child_process'
import { expect } from 'chai'
import { SecretsFile } from '../../../../host/secrets/secrets-file.ts'
import { isPhantomError } from '../../../../src/contract/phantom-error.ts'
import { skipBecause } from '../../../helpers/skip.ts'

describe('SecretsFile', () => {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-secrets-')))
  const file = path.join(folder, 'secrets')
  const uid = process.getuid?.() ?? -1
  let readings: string[][]
  let secrets: SecretsFile

  beforeEach(() => {
    fs.rmSync(file, { force: true, recursive: true })
    fs.writeFileSync(file, 'TOKEN=hunter2\n', { mode: 0o600 })
    readings = []
    secrets = new SecretsFile({ path: file, uid, onRead: (values) => readings.push([...values.values()]) })
  })
  after(() => fs.rmSync(folder, { recursive: true, force: true }))

  const refusal = (): string => {
    try {
      secrets.read()
    } catch (error) {
      if (!isPhantomError(error)) throw error
      expect(error.code).to.equal('CONFIG_INVALID')
      expect(JSON.stringify([error.message, error.details, error.cause])).to.not.contain('hunter')
      return error.message
    }
    throw new Error('it was read')
  }

  it('is read once, and again when it has changed', () => {
    expect(secrets.read().get('TOKEN')).to.equal('hunter2')
    expect(secrets.read().get('TOKEN')).to.equal('hunter2')
    expect(readings).to.eql([['hunter2']])
    fs.writeFileSync(`${file}.new`, 'TOKEN=hunter3\n', { mode: 0o600 })
    fs.renameSync(`${file}.new`, file)
    expect(secrets.read().get('TOKEN')).to.equal('hunter3')
    expect(readings).to.eql([['hunter2'], ['hunter3']])
  })

  for (const mode of [0o640, 0o604, 0o620, 0o610, 0o666, 0o4644]) {
    it(`is refused with the mode ${mode.toString(8)}, also when it had a good one before`, () => {
      secrets.read()
      fs.chmodSync(file, mode)
      expect(refusal()).to.match(
        /its mode is 0\d{3}, and nobody else may have a right to it\. Run chmod 0600/,
      )
      fs.chmodSync(file, 0o400)
      expect(secrets.read().get('TOKEN')).to.equal('hunter2')
    })
  }

  it("is refused when it is somebody else's", function () {
    if (uid !== 0) skipBecause.call(this, 'only root gives a file away')
    fs.chownSync(file, 12345, 12345)
    expect(refusal()).to.contain("belongs to uid 12345, and must belong to the daemon's uid 0 or to root")
  })

  it('is refused when it is a link, a folder, a pipe, missing, too large or no text', () => {
    fs.renameSync(file, `${file}.real`)
    expect(refusal()).to.contain('it is not there (ENOENT)')
    fs.symlinkSync(`${file}.real`, file)
    expect(refusal()).to.contain('it is a symbolic link')
    fs.rmSync(file)
    fs.mkdirSync(file, { mode: 0o700 })
    expect(refusal()).to.contain('it is no regular file')
    fs.rmSync(file, { recursive: true })
    execFileSync('mkfifo', ['-m', '0600', file])
    expect(refusal()).to.contain('it is no regular file')
    fs.rmSync(file)
    fs.writeFileSync(file, Buffer.alloc(1024 * 1024 + 1, 'hunter2'), { mode: 0o600 })
    expect(refusal()).to.contain('more than 1048576 bytes')
    fs.writeFileSync(file, Buffer.from('hunter2=\xff\xfe', 'latin1'))
    expect(refusal()).to.contain('not UTF-8')
  })

  it('names every line that is wrong, and gives nothing of it', () => {
    fs.writeFileSync(file, 'TOKEN=hunter2\nhunter2\nOTHER= hunter2\n')
    expect(refusal()).to.contain('line 2: it has no "="').and.to.contain('line 3: the value of OTHER begins')
  })
})
