import path from 'node:path'
import type { ManifestIssue } from '../contract/plugin-info.ts'
import { paint } from './output.ts'
import { printable, printableLine } from './printable.ts'

/** `file:line:column error message`, as editors and CI logs link it. */
export function formatIssue(issue: ManifestIssue, cwd: string = process.cwd()): string {
  const colour = issue.severity === 'error' ? 'red' : 'yellow'
  const place = `${printableLine(shortPath(issue.file, cwd))}:${issue.line}:${issue.column}`
  return `${place} ${paint(colour, issue.severity)} ${printable(issue.message)}`
}

/** Relative where that is shorter to read: inside the current folder. */
export function shortPath(file: string, cwd: string): string {
  const relative = path.relative(cwd, file)
  const isInside =
    path.isAbsolute(file) && relative !== '' && relative !== '..' && !relative.startsWith(`..${path.sep}`)
  return isInside ? relative : file
}
