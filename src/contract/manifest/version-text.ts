/** https://semver.org/#is-there-a-suggested-regular-expression-regex-to-check-a-semver-string */
const NUMBER = '(?:0|[1-9]\\d*)'
const IDENTIFIER = '(?:0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)'
const PRERELEASE = `(?:-${IDENTIFIER}(?:\\.${IDENTIFIER})*)`
const BUILD = '(?:\\+[0-9a-zA-Z-]+(?:\\.[0-9a-zA-Z-]+)*)'
const VERSION = new RegExp(`^${NUMBER}\\.${NUMBER}\\.${NUMBER}${PRERELEASE}?${BUILD}?$`)

/** The range grammar of npm's semver, without its loose forms: https://github.com/npm/node-semver#range-grammar */
const ANY = '[xX*]'
const PATCH = `(?:${ANY}|${NUMBER}${PRERELEASE}?${BUILD}?)`
/** What follows an `x` can only be an `x`. */
const PARTIAL = `v?(?:${ANY}(?:\\.${ANY}){0,2}|${NUMBER}(?:\\.(?:${ANY}(?:\\.${ANY})?|${NUMBER}(?:\\.${PATCH})?))?)`
const COMPARATOR = new RegExp(`^(?:\\^|~>?|[<>]=?|=)?${PARTIAL}$`)
const HYPHEN_RANGE = new RegExp(`^${PARTIAL} +- +${PARTIAL}$`)

const MAX_VERSION_CHARS = 256

export function isSemanticVersion(text: string): boolean {
  return text.length <= MAX_VERSION_CHARS && VERSION.test(text)
}

/** An empty range means any version to npm; here absence must be said, with `*`. */
export function isVersionRange(text: string): boolean {
  if (text.length > MAX_VERSION_CHARS) return false
  return text.split('||').every((alternative) => {
    const range = alternative.trim()
    if (HYPHEN_RANGE.test(range)) return true
    // `>= 1.2` is the comparator `>=1.2`.
    const comparators = range.replace(/([\^~<>=]) +(?=[\dvxX*])/g, '$1').split(/ +/)
    return comparators.every((comparator) => COMPARATOR.test(comparator))
  })
}
