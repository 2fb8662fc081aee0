import type { Command } from 'commander'
import { commonOptions, type CommonOptions } from './common-options.ts'
import { examples } from './help-examples.ts'
import { readInput } from './json-input.ts'
import { attachSystem } from './open-system.ts'
import { printJson, printLines } from './output.ts'
import { printableLine } from './printable.ts'
import { withNearest } from './suggest-plugin.ts'

interface Sending {
  sender: string
  recipient: string
  type: string
  payload: string | undefined
  common: CommonOptions
}

export function defineSend(program: Command): void {
  program
    .command('send')
    .argument('<sender>', "a plugin's id, or a name of your own that is spelled like one")
    .argument('<recipient>', 'id of the plugin that shall get it')
    .argument('<type>', "type of the message, as the recipient's plugin.toml has it")
    .description('send a message to a plugin of the running daemon; exit code 7 when none runs')
    .option('--payload <json>', 'what it says: JSON, @file, or - for stdin')
    .addHelpText(
      'after',
      examples(
        `phantom send operator reports build_done --payload '{"target":"x86"}'`,
        'phantom send ci reports build_done --payload @build.json --json',
      ),
    )
    .action(async (sender: string, recipient: string, ...rest: [string, { payload?: string }, Command]) => {
      const [type, { payload }, command] = rest
      await send({ sender, recipient, type, payload, common: commonOptions(command) })
    })
}

/** By a daemon that stays: a private one would end, with the message, as soon as this command does. */
async function send({ sender, recipient, type, payload, common }: Sending): Promise<void> {
  const said = await readInput(payload, '--payload')
  await using system = await attachSystem(common)
  const { api } = system
  const sent = await withNearest(api, { pluginId: recipient }, () =>
    api.send_plugin_message(sender, recipient, type, said),
  )
  if (common.json) return printJson(sent)
  printLines([`message ${sent.message_id} waits for ${printableLine(recipient)}`])
}
