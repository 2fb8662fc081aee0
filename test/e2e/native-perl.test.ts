import { expect } from 'chai'
import { TestDaemon } from '../helpers/daemon.ts'
import { needPerl } from '../helpers/native-programs.ts'
import { skipBecause } from '../helpers/skip.ts'

const ID = 'native_perl'

describe('A native plugin in Perl, which nothing here knows of', function () {
  this.timeout(60_000)
  let daemon: TestDaemon | null = null

  before(needPerl)
  before(async function () {
    daemon = await TestDaemon.start({ plugins: ['native-perl'] })
    if ((await daemon.system.get_status()).tier !== 'namespace')
      skipBecause.call(this, 'native plugins need namespaces')
  })
  after(() => daemon?.stop())

  it('answers, and its interpreter finds all that it looks for at its start', async () => {
    const { result } = await daemon!.call(ID, 'count', 'two w\u00f6rds')
    expect(result).to.deep.equal({ words: 2, characters: 9 })
    const lines = await daemon!.system.get_plugin_logs({ plugin_id: ID })
    expect(lines.filter(({ source }) => source === 'stderr').map(({ message }) => message)).to.deep.equal([])
  })

  it('meets the denials and the checks that every plugin meets', async () => {
    const denied = await daemon!.refusal(ID, 'first_line', '/etc/hostname')
    expect(denied.code).to.equal('PERMISSION_DENIED')
    expect(denied.details['missing']).to.deep.equal(['fs_read:/etc/hostname'])
    expect((await daemon!.refusal(ID, 'count', 5)).code).to.equal('INPUT_INVALID')
    const { success, error } = await daemon!.call(ID, 'first_line', [])
    expect({ success, error: error?.slice(0, 18) }).to.deep.equal({
      success: false,
      error: 'No such file or di',
    })
  })
})
