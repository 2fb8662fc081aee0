import { join } from 'node:path'
import { MAX_MANIFEST_BYTES } from '../../src/contract/limits.ts'
import type { Manifest } from '../../src/contract/manifest.ts'
import { IssueList } from '../../src/contract/manifest/issue-list.ts'
import { fieldName, type KeyPath } from '../../src/contract/manifest/key-locator.ts'
import { isPhantomError } from '../../src/contract/phantom-error.ts'
import type { ManifestIssue } from '../../src/contract/plugin-info.ts'
import type { SchemaCompiler } from '../validation/schema-compiler.ts'
import { readInside } from './read-inside.ts'
import { MANIFEST_FILE } from './read-manifest.ts'

export interface SchemaOwner {
  readonly manifest: Manifest
  readonly directory: string
}

type Schema = Readonly<Record<string, unknown>>
type Checker = Pick<SchemaCompiler, 'compileInput' | 'checkConfig'>

/**
 * What the parser of a manifest, which is pure, can't see: schemas that do not compile. That of a result is for authors
 * and callers, and not compiled.
 */
export async function schemaIssues(
  { manifest, directory }: SchemaOwner,
  compiler: Checker,
): Promise<ManifestIssue[]> {
  const found: [KeyPath, string][] = []
  for (const [path, check] of checksOf(manifest, compiler)) {
    const reason = await refusal(check)
    if (reason !== null) found.push([path, reason])
  }
  if (found.length === 0) return []
  const source = await readInside(directory, MANIFEST_FILE, MAX_MANIFEST_BYTES)
  // Removed meanwhile: the words are still true, the place is the file's beginning.
  const text = 'bytes' in source ? new TextDecoder().decode(source.bytes) : ''
  const issues = new IssueList(text, join(directory, MANIFEST_FILE))
  for (const [path, reason] of found) issues.sentence(path, `Cannot use "${fieldName(path)}": ${reason}`)
  return issues.toArray()
}

function checksOf(manifest: Manifest, compiler: Checker): [KeyPath, () => Promise<unknown>][] {
  const inputs = (section: string, declared: readonly { readonly inputSchema: Schema | null }[]) =>
    declared.flatMap(({ inputSchema }, index): [KeyPath, () => Promise<unknown>][] =>
      inputSchema === null
        ? []
        : [[[section, index, 'input_schema'], () => compiler.compileInput(inputSchema)]],
    )
  const { configuration } = manifest
  return [
    ...inputs('operations', manifest.operations),
    ...inputs('messages', manifest.messages),
    ...(configuration === null
      ? []
      : [
          [['configuration'], () => compiler.checkConfig(configuration, {})] as [
            KeyPath,
            () => Promise<unknown>,
          ],
        ]),
  ]
}

/** Why that schema is refused; null where it is not. */
async function refusal(check: () => Promise<unknown>): Promise<string | null> {
  try {
    await check()
    return null
  } catch (error) {
    const reason = isPhantomError(error) && error.code === 'MANIFEST_INVALID' ? error.details['reason'] : null
    if (typeof reason !== 'string') throw error
    return reason
  }
}
