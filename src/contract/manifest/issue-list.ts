import type { ManifestIssue } from '../plugin-info.ts'
import { createKeyLocator, fieldName, type KeyPath, type SourcePlace } from './key-locator.ts'

/** A manifest made of mistakes is answered with this many of them and a count of the others. */
const MAX_ISSUES = 100

/** What is so, and what to do about it; the two halves of a message. */
export interface Problem {
  readonly problem: string
  readonly remedy: string
}

/** Collects what is wrong with one manifest, each with the place of its key. */
export class IssueList {
  readonly #file: string
  readonly #locate: (path: KeyPath) => SourcePlace
  readonly #issues: ManifestIssue[] = []
  #left = 0
  #hasErrors = false

  constructor(text: string, file: string) {
    this.#file = file
    this.#locate = createKeyLocator(text)
  }

  get hasErrors(): boolean {
    return this.#hasErrors
  }

  placeOf(path: KeyPath): SourcePlace {
    return this.#locate(path)
  }

  /** The problem may be a function where finding its words costs: it is not asked once the list is full. */
  error(path: KeyPath, problem: Problem | (() => Problem)): void {
    this.#hasErrors = true
    if (this.#issues.length >= MAX_ISSUES) {
      this.#left += 1
      return
    }
    const { problem: what, remedy } = typeof problem === 'function' ? problem() : problem
    const field = fieldName(path)
    const message = `Cannot use ${field.includes('"') ? field : `"${field}"`}: ${what}. ${remedy}`
    this.#add({ ...this.#locate(path), field, severity: 'error', message })
  }

  /** An error whose message is already whole. */
  sentence(path: KeyPath, message: string): void {
    this.#hasErrors = true
    if (this.#issues.length >= MAX_ISSUES) this.#left += 1
    else this.#add({ ...this.#locate(path), field: fieldName(path), severity: 'error', message })
  }

  /** An error of the file as a whole, at a place of its own. */
  errorAt(place: SourcePlace, message: string): void {
    this.#hasErrors = true
    this.#add({ ...place, field: '', severity: 'error', message })
  }

  /** Warnings come from a fixed set of keys, so they need no cap. */
  warning(path: KeyPath, message: string): void {
    this.#add({ ...this.#locate(path), field: fieldName(path), severity: 'warning', message })
  }

  /** In the order of the file. */
  toArray(): ManifestIssue[] {
    const sorted = this.#issues.toSorted((a, b) => a.line - b.line || a.column - b.column)
    if (this.#left === 0) return sorted
    const message = `Cannot show every mistake: ${this.#left} more were found. Mend these first and validate again`
    return [...sorted, { file: this.#file, line: 1, column: 1, field: '', severity: 'error', message }]
  }

  #add(issue: Omit<ManifestIssue, 'file'>): void {
    this.#issues.push({ file: this.#file, ...issue })
  }
}

/** One line for a person: `plugin.toml:3:1: Cannot use …`. */
export function issueText(issue: ManifestIssue): string {
  return `${issue.file}:${issue.line}:${issue.column}: ${issue.message}`
}
