/** The hidden `phantom __complete -- WORD…`: what could stand in the place of the last word. */
import type { Command } from 'commander'
import { completeCommandLine, type Candidate } from './complete-line.ts'
import { knownPlugins } from './known-plugins.ts'
import { printLine } from './output.ts'

/** Put on the command line as they are: whatever a shell would read as more than a word stays out. */
const SAFE_WORD = /^[\w@%+=:,./-]+$/

export function defineComplete(program: Command): void {
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .action(async (words: string[]) => {
      const candidates = await completeCommandLine(program, words, knownPlugins)
      for (const candidate of candidates.filter(({ word }) => SAFE_WORD.test(word)))
        printLine(toLine(candidate))
      // A daemon that answers too late must not hold the shell's line.
      process.exit()
    })
}

function toLine({ word, description }: Candidate): string {
  const oneLine = description.replace(/[\s\p{Cc}]+/gu, ' ')
  return oneLine === '' ? word : `${word}\t${oneLine}`
}
