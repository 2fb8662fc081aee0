/** The `phantom` command: a process starts here, on a Node that can run the daemon. */
import { CLI_EXIT_CODES } from '../contract/exit-codes.ts'
import { buildProgram } from './program.ts'
import { reportError } from './report-error.ts'

const args = process.argv.slice(2)

// Read before anything is parsed: a mistake on the command line is reported in the asked form, too.
const json = args.includes('--json')
if (args.includes('--no-color')) {
  process.env['NO_COLOR'] = '1'
  delete process.env['FORCE_COLOR']
}

// `phantom list | head -1`: whoever reads has seen enough, and that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(process.exitCode ?? CLI_EXIT_CODES.ok)
  throw error
})

try {
  await buildProgram().parseAsync(args, { from: 'user' })
} catch (error) {
  process.exitCode = reportError(error, json)
}
