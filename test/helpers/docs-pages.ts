import fs from 'node:fs'
import path from 'node:path'

export const ROOT = path.resolve(import.meta.dirname, '../..')

/** README and everything of docs/ that we write; the specification is somebody else's words. */
export function pageFiles(): string[] {
  const docs = fs.readdirSync(path.join(ROOT, 'docs')).filter((name) => name.endsWith('.md'))
  return ['README.md', ...docs.filter((name) => name !== 'specification.md').map((name) => `docs/${name}`)]
}

export function readPage(page: string): string {
  return fs.readFileSync(path.join(ROOT, page), 'utf8')
}

/** The lines of the table behind `<!-- table: NAME -->` or `<!-- fields: NAME -->`, without its head. */
export function tableOf(page: string, name: string): string[] {
  const lines = readPage(page).split('\n')
  const marks = [`<!-- table: ${name} -->`, `<!-- fields: ${name} -->`]
  const at = lines.findIndex((line) => marks.includes(line.trim()))
  if (at === -1) throw new Error(`Cannot find the table "${name}" in ${page}: no line ${marks.join(' or ')}`)
  const end = lines.findIndex((line, index) => index > at && !line.startsWith('|'))
  return lines.slice(at + 3, end === -1 ? undefined : end)
}

/** Its cells. */
export function columnsOf(page: string, name: string): string[][] {
  return tableOf(page, name).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** What stands in a cell's first code span, or the cell's text where it has none. */
export function wordOf(cell = ''): string {
  return /`([^`]+)`/.exec(cell)?.[1] ?? cell
}

export interface Sample {
  readonly page: string
  readonly kind: 'file' | 'run' | 'output' | 'template'
  /** The path of a file, the name of what is run. */
  readonly name: string
  readonly language: string
  readonly text: string
}

/** Fenced blocks behind `<!-- file: PATH -->`, `<!-- run: NAME -->`, `<!-- output: NAME -->` or `<!-- template: PATH -->`. */
export function samplesOf(page: string): Sample[] {
  const fences = /<!-- (file|run|output|template): (\S+) -->\n```(\w*)\n([\s\S]*?)^```$/gm
  return [...readPage(page).matchAll(fences)].map(([, kind, name, language, text]) => {
    return { page, kind: kind as Sample['kind'], name: name!, language: language!, text: text! }
  })
}

/** Requests (`→`) and answers (`←`) of the fences of language `wire`, in order. */
export function wireExamples(page: string): { request: string; answer: string }[] {
  return [...readPage(page).matchAll(/^```wire\n([\s\S]*?)^```$/gm)].flatMap(([, text]) =>
    [...text!.matchAll(/^→ (.*)\n← (.*)$/gm)].map(([, request, answer]) => ({
      request: request!,
      answer: answer!,
    })),
  )
}
