import { expect } from 'chai'
import { parseManifest, type ParsedManifest } from '../../src/contract/manifest/parse-manifest.ts'

/** A whole `[plugin]` of six lines: what a test adds begins on line 7. */
export const HEAD = `[plugin]
id = "sample"
name = "Sample"
version = "1.2.3-rc.1+build.5"
type = "javascript"
entry_point = "src/index.ts"
`

export function parse(text: string, files: Record<string, string> = {}): ParsedManifest {
  return parseManifest(text, {
    file: 'plugin.toml',
    readSchemaFile: (path) => {
      const content = files[path]
      return content === undefined ? { error: 'it does not exist' } : { text: content }
    },
  })
}

/** `line:column field: message` of every issue. */
export function found(text: string, files: Record<string, string> = {}): string[] {
  return parse(text, files).issues.map(
    ({ line, column, field, message }) => `${line}:${column} ${field}: ${message}`,
  )
}

/** The one issue that there is, as above. */
export function only(text: string, files: Record<string, string> = {}): string {
  const issues = found(text, files)
  expect(issues, issues.join('\n')).to.have.length(1)
  return issues[0] ?? ''
}
