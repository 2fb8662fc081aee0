import fs from 'node:fs'
import path from 'node:path'
import { readPage, ROOT } from './docs-pages.ts'

/** Relative links and images of a page that lead nowhere, headings included. */
export function linkProblems(page: string, text: string = readPage(page)): string[] {
  const prose = text.replace(/^```[\s\S]*?^```$/gm, '')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target]) => {
    if (/^[a-z]+:/.test(target!)) return []
    const [file = '', anchor] = target!.split('#')
    const absolute = file === '' ? path.join(ROOT, page) : path.join(ROOT, path.dirname(page), file)
    if (!fs.existsSync(absolute)) return [`${page}: ${target} is not there`]
    if (anchor === undefined || headingsOf(absolute).includes(anchor)) return []
    return [`${page}: ${target}: no such heading`]
  })
}

/** As GitHub makes them: lower case, punctuation gone, blanks as hyphens. */
function headingsOf(file: string): string[] {
  const prose = fs.readFileSync(file, 'utf8').replace(/^```[\s\S]*?^```$/gm, '')
  return [...prose.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  )
}
