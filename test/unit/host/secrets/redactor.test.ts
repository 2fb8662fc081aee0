import { expect } from 'chai'
import { Redactor } from '../../../../host/secrets/redactor.ts'

const SECRET = 'tk_hunter2 "quoted" & more/+?'

describe('Redactor', () => {
  it('gives text back as it is while there are no secrets, and when they are too short to mean something', () => {
    const redactor = new Redactor()
    const text = 'nothing to hide'
    expect(redactor.redact(text)).to.equal(text)
    redactor.add('hide')
    redactor.add('')
    expect(redactor.redact(text)).to.equal(text)
  })

  it('takes a secret out in every form in which it may leave', () => {
    const redactor = new Redactor()
    redactor.add(SECRET)
    const query = new URLSearchParams({ t: SECRET }).toString()
    const texts = [
      `a ${SECRET} b ${SECRET}`,
      JSON.stringify({ t: SECRET }),
      JSON.stringify({ log: JSON.stringify({ t: SECRET }) }),
      `https://h/?t=${encodeURIComponent(SECRET)}`,
      `https://h/?t=${encodeURIComponent(SECRET).replace(/%../g, (code) => code.toLowerCase())}`,
      encodeURI(`https://h/${SECRET}`),
      query,
      Buffer.from(SECRET).toString('base64'),
      Buffer.from(SECRET).toString('base64url'),
      ...['', 'u', 'us', 'usr', 'user:'].flatMap((before) =>
        ['', '@', '@h'].map((behind) => `Basic ${Buffer.from(before + SECRET + behind).toString('base64')}`),
      ),
    ]
    for (const text of texts) {
      const redacted = redactor.redact(text)
      expect(redacted, text).to.contain('[secret]')
      expect(redacted).to.not.match(/hunter|quoted|aHVudGVy|h1bnRlc|odW50ZXI/)
      expect(Buffer.from(redacted, 'base64').toString('latin1')).to.not.contain('hunter')
    }
    expect(redactor.redact(texts[0] ?? '')).to.equal('a [secret] b [secret]')
  })

  it('takes one out that is a part of a host, which is told in lower case', () => {
    const redactor = new Redactor()
    redactor.add('tok-S3CRETVALUE99')
    redactor.add('Readable')
    expect(redactor.redact('network:tok-s3cretvalue99.example.org is not granted')).to.equal(
      'network:[secret].example.org is not granted',
    )
    expect(redactor.redact('readable words stay')).to.equal('readable words stay')
  })

  it('takes the longer of two secrets that begin alike, and lines of one that has several', () => {
    const redactor = new Redactor()
    for (const secret of [
      'abcdef',
      'abcdefghij',
      '-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nshort\n-----END KEY-----',
      '$^(.*)[x]+',
    ])
      redactor.add(secret)
    expect(redactor.redact('abcdefghij abcdefg')).to.equal('[secret] [secret]g')
    expect(redactor.redact('read MIIEvQIBADANBgkqhkiG9w0 short')).to.equal('read [secret] short')
    expect(redactor.redact('-----BEGIN KEY-----')).to.equal('-----BEGIN KEY-----')
    expect(redactor.redact('$^(.*)[x]+ abc')).to.equal('[secret] abc')
    redactor.add('added later')
    expect(redactor.redact('it was added later')).to.equal('it was [secret]')
  })

  it('takes hex out, and leaves what is too short or too common', () => {
    const redactor = new Redactor()
    redactor.hold('x', [SECRET, 'short', 'production', 'xxxxxxxx', 'http://localhost:8080/'])
    const hex = Buffer.from(SECRET).toString('hex')
    expect(redactor.redact(`${hex} ${hex.toUpperCase()}`)).to.equal('[secret] [secret]')
    const ordinary = 'short production xxxxxxxx http://localhost:8080/'
    expect(redactor.redact(ordinary)).to.equal(ordinary)
  })

  it('forgets a secret that was replaced after a day, and of many the first', () => {
    let now = 0
    const redactor = new Redactor(() => now)
    redactor.hold('file', ['first-secret'])
    redactor.hold('file', ['second-secret'])
    redactor.hold('other', ['third-secret'])
    expect(redactor.redact('first-secret second-secret')).to.equal('[secret] [secret]')
    now = 86_400_000
    expect(redactor.redact('first-secret second-secret third-secret')).to.equal(
      'first-secret [secret] [secret]',
    )
    for (let count = 0; count < 300; count += 1) redactor.hold('file', [`rotated-${count}-secret`])
    expect(redactor.redact('rotated-10-secret rotated-250-secret')).to.equal('rotated-10-secret [secret]')
  })

  it('keeps one that another source still has', () => {
    let now = 0
    const redactor = new Redactor(() => now)
    redactor.hold('a', ['shared-secret'])
    redactor.hold('b', ['shared-secret'])
    redactor.hold('a', [])
    now = 10 * 86_400_000
    expect(redactor.redact('shared-secret')).to.equal('[secret]')
  })

  it('takes the beginning of one off a text that was cut in it', () => {
    const redactor = new Redactor()
    redactor.hold('x', ['s3cr3t-0123456789'])
    expect(redactor.redactCut('the token is s3cr3t-012')).to.equal('the token is [secret]')
    expect(redactor.redactCut('the token is s3c')).to.equal('the token is s3c')
  })

  it('costs little with a hundred secrets', () => {
    const redactor = new Redactor()
    for (let i = 0; i < 100; i += 1) redactor.add(`secret-number-${i}-${'x'.repeat(i)}`)
    const line =
      'an ordinary line of a log that says what was done and how long it took, 200 characters. '.repeat(2)
    const startedAt = performance.now()
    for (let i = 0; i < 1000; i += 1) redactor.redact(line)
    expect(performance.now() - startedAt).to.be.below(1000)
  })

  it('costs hardly more with a thousand secrets than with ten', () => {
    const line =
      'an ordinary line of a log that says what was done and how long it took, 200 characters. '.repeat(2)
    const timeOf = (count: number): number => {
      const redactor = new Redactor()
      const secrets = Array.from(
        { length: count },
        (_, at) => `${(at * 7919 + 17).toString(36)}-secret-${at}`,
      )
      redactor.hold('file', secrets)
      redactor.redact(line)
      const startedAt = performance.now()
      for (let round = 0; round < 2000; round += 1) redactor.openLength(redactor.redact(line))
      return performance.now() - startedAt
    }
    timeOf(10)
    expect(timeOf(1000) / timeOf(10)).to.be.below(20)
  })
})
