import fs from 'node:fs'
import path from 'node:path'

const ROOT = path.resolve(import.meta.dirname, '../..')

/**
 * The members of an interface, or of a member that is an object type, in the order of the source. Types are gone at
 * run time, so the source is read; its formatter keeps one member a line.
 */
export function interfaceMembers(file: string, name: string): string[] {
  const lines = read(file).split('\n')
  const start = lines.findIndex((line) =>
    new RegExp(`(?:interface ${name}\\b.*|^\\s*${name}: )\\{$`).test(line),
  )
  const inline = lines.map((line) => new RegExp(`^\\s*${name}: \\{ (.*) \\}$`).exec(line)?.[1]).find(Boolean)
  if (start === -1 && inline !== undefined)
    return [...inline.matchAll(/(\w+)\??:/g)].map(([, member]) => member!)
  if (start === -1) throw new Error(`Cannot find "${name}" in ${file}: no interface or member of that name`)
  const indent = /^ */.exec(lines[start]!)![0]
  const end = lines.findIndex((line, at) => at > start && line.startsWith(`${indent}}`))
  const member = new RegExp(`^${indent}  (?:readonly )?(\\w+)[?(:]`)
  return lines.slice(start + 1, end).flatMap((line) => member.exec(line)?.[1] ?? [])
}

/** The words of a union of string literals. */
export function unionWords(file: string, name: string): string[] {
  const body = new RegExp(`type ${name} =([^=]*?)(?=\\n\\n|\\n/\\*|$)`).exec(read(file))?.[1]
  if (body === undefined) throw new Error(`Cannot find the union "${name}" in ${file}`)
  return [...body.matchAll(/'(\w+)'/g)].map(([, word]) => word!)
}

function read(file: string): string {
  return fs.readFileSync(path.join(ROOT, file), 'utf8')
}
