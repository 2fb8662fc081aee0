import type { Command } from 'commander'
import type { PluginSystemApi } from '../client/plugin-system-api.ts'
import { CLI_EXIT_CODES } from '../contract/exit-codes.ts'
import type { ApprovalResult, PluginPermissions, RightInfo } from '../contract/permissions-info.ts'
import { isPhantomError, PhantomError } from '../contract/phantom-error.ts'
import { formatPlugin } from './change-plugin.ts'
import { quoteText } from '../contract/quote-text.ts'
import { commonOptions } from './common-options.ts'
import { examples } from './help-examples.ts'
import { narrowRights } from './narrow-rights.ts'
import { openSystem } from './open-system.ts'
import { paint, printJson, printLine, printLines } from './output.ts'
import { formatHead, formatMessage, formatSentence } from './permissions.ts'
import { paintState } from './plugin-state-paint.ts'
import { printable, printableLine } from './printable.ts'
import { withNearest } from './suggest-plugin.ts'
import { TerminalQuestions } from './terminal-questions.ts'

interface ApproveOptions {
  yes?: boolean
  digest?: string
  only?: string[]
  revoke?: boolean
}

export function defineApprove(program: Command): void {
  program
    .command('approve')
    .argument('<plugin>', 'id of the plugin')
    .description('decide what a plugin may do of what it asks for: yes, no, or less')
    .option('--yes', 'approve without asking; needs --digest')
    .option('--digest <sha256>', 'of what is approved, as "phantom permissions" shows it')
    .option('--only <right>', 'approve this alone, or a part of it; may be given several times', collect)
    .option('--revoke', 'take the approval back: its processes end, and it is blocked')
    .addHelpText(
      'after',
      examples(
        'phantom approve my_plugin',
        "phantom approve my_plugin --yes --digest SHA256 --only 'fs_read:./data' --only network:api.example.org",
        'phantom approve my_plugin --revoke',
      ),
    )
    .action(async (pluginId: string, own: ApproveOptions, command: Command) => {
      assertOptions(own)
      const options = commonOptions(command)
      await using system = await openSystem(options)
      const { api } = system
      const act = (): Promise<void> => decide(api, pluginId, { ...own, json: options.json })
      await withNearest(api, { pluginId }, act)
    })
}

function collect(right: string, before: string[] = []): string[] {
  return [...before, right]
}

function assertOptions({ yes, digest, only, revoke }: ApproveOptions): void {
  const others = yes === true || digest !== undefined || only !== undefined
  if (revoke === true && others) throw usage('--revoke takes everything back', 'Leave the other options out')
  if ((yes === true) !== (digest !== undefined)) {
    throw usage('--yes and --digest go together', 'Take the digest from "phantom permissions"')
  }
  if (digest !== undefined && !/^[0-9a-f]{64}$/.test(digest)) {
    throw usage(
      `--digest is ${quoteText(digest)}, expected 64 hexadecimal digits in lower case`,
      'Take it whole from "phantom permissions"',
    )
  }
  if (only !== undefined && yes !== true) {
    throw usage('--only goes with --yes and --digest', 'Add them, or leave it out to be asked')
  }
}

async function decide(
  api: PluginSystemApi,
  pluginId: string,
  { digest, only, revoke, json }: ApproveOptions & { json: boolean },
): Promise<void> {
  if (revoke === true) {
    const plugin = await api.revoke_plugin(pluginId)
    return json ? printJson(plugin) : printLines(formatPlugin(plugin))
  }
  if (digest === undefined) return await askAndApprove(api, await api.get_permissions(pluginId), json)
  report(await api.approve_plugin(pluginId, digest, only), json)
}

async function askAndApprove(api: PluginSystemApi, asked: PluginPermissions, json: boolean): Promise<void> {
  if (json || !TerminalQuestions.isPossible()) throw noTerminal(asked)
  printLines(formatQuestion(asked))
  using questions = new TerminalQuestions()
  for (;;) {
    const answer = await questions.choose('Approve this? [y]es, [n]o, [l]ess: ', ['yes', 'no', 'less'])
    if (answer === 'yes') return report(await api.approve_plugin(asked.plugin_id, asked.digest), false)
    const granted = answer === 'less' ? await narrowRights(questions, asked.rights) : null
    if (granted === null) return leftAsItIs(asked)
    if ((await submit(api, asked, granted)) === 'done') return
  }
}

/** A part that is none is said, and asked again. */
async function submit(
  api: PluginSystemApi,
  { plugin_id: id, digest }: PluginPermissions,
  granted: string[],
): Promise<'done' | 'again'> {
  try {
    report(await api.approve_plugin(id, digest, granted), false)
    return 'done'
  } catch (error) {
    if (!isPhantomError(error) || error.code !== 'PARAMS_INVALID') throw error
    printLine(printable(error.message))
    return 'again'
  }
}

/** What is asked, each right as a sentence with its risk, and what changed since somebody decided. */
export function formatQuestion(asked: PluginPermissions): string[] {
  const { rights, messages, dropped, approval } = asked
  const news = rights.filter((right) => right.is_new)
  const rest = rights.filter((right) => !right.is_new)
  const isFirst = approval === null || approval.source === 'revoked'
  const sentences = (list: PluginPermissions['rights']): string[] =>
    list.flatMap((right) => [`  ${formatSentence(right)}`, ...givenBefore(right)])
  return [
    ...formatHead(asked),
    '',
    ...(rights.length === 0 ? ['It asks for no right: it may run, and sees its own folders alone.'] : []),
    ...(news.length === 0
      ? []
      : [isFirst ? 'It asks for:' : 'New since the last approval:', ...sentences(news)]),
    ...(rest.length === 0 ? [] : ['Asked for at the last approval, too:', ...sentences(rest)]),
    ...(messages.length === 0 ? [] : ['Messages:', ...messages.map((one) => `  ${formatMessage(one)}`)]),
    ...(dropped.length === 0
      ? []
      : ['No longer asked for:', ...dropped.map((text) => `  ${printableLine(text)}`)]),
    '',
  ]
}

/** Where that was not all of it: "yes" would give more now. */
function givenBefore({ right, is_new: isNew, approved }: RightInfo): string[] {
  if (isNew || (approved.length === 1 && approved[0] === right)) return []
  const given = approved.length === 0 ? 'nothing of it' : `${approved.map(printableLine).join(', ')} alone`
  return [paint('yellow', `    given then: ${given}; "yes" gives all of it now`)]
}

function report(result: ApprovalResult, json: boolean): void {
  if (json) printJson(result)
  else printLines(formatResult(result))
  if (result.problem !== null) process.exitCode = CLI_EXIT_CODES.denied
}

export function formatResult({ plugin_id: id, granted, state, problem }: ApprovalResult): string[] {
  const given = granted.length === 0 ? 'to run, with no right' : granted.map(printableLine).join(', ')
  return [
    `${printableLine(id)}  approved: ${given}`,
    `${printableLine(id)}  ${paintState(state, state)}`,
    ...(problem === null
      ? []
      : printable(problem)
          .split('\n')
          .map((line) => `  ${line}`)),
  ]
}

function leftAsItIs({ plugin_id: id, state }: PluginPermissions): void {
  printLine(`Nothing was approved: ${printableLine(id)} stays as it is, ${state}`)
  process.exitCode = CLI_EXIT_CODES.denied
}

function noTerminal({ plugin_id: id, digest }: PluginPermissions): PhantomError {
  return new PhantomError(
    'PARAMS_INVALID',
    `Cannot ask about "${id}": there is no terminal to ask at. Read what it asks for with "phantom permissions ${id}", ` +
      `then approve that with "phantom approve ${id} --yes --digest ${digest}"`,
    { details: { plugin_id: id, digest } },
  )
}

function usage(found: string, remedy: string): PhantomError {
  return new PhantomError('PARAMS_INVALID', `Cannot read the command line: ${found}. ${remedy}`)
}
