import { paint } from './output.ts'

/** A titled block below others; nothing at all where it would be empty. */
export function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', paint('bold', title), ...lines.map((line) => `  ${line}`)]
}
