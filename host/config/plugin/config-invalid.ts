import { issueText } from '../../../src/contract/manifest/issue-list.ts'
import { PhantomError } from '../../../src/contract/phantom-error.ts'
import type { ManifestIssue } from '../../../src/contract/plugin-info.ts'

const MAX_SHOWN = 5

/** All that is wrong as one error; `details.issues` has the whole list. */
export function configInvalid(pluginId: string, issues: readonly ManifestIssue[]): PhantomError {
  const errors = issues.filter(({ severity }) => severity === 'error')
  const shown = errors.slice(0, MAX_SHOWN).map(issueText)
  const rest = errors.length > MAX_SHOWN ? [`… and ${errors.length - MAX_SHOWN} more`] : []
  const lines = [...shown, ...rest].join('\n')
  return new PhantomError('CONFIG_INVALID', `Cannot configure "${pluginId}":\n${lines}`, {
    details: { issues: errors },
  })
}
