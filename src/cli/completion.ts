import { Argument, type Command } from 'commander'
import { COMPLETION_SCRIPTS } from './completion-scripts.ts'
import { examples } from './help-examples.ts'

export function defineCompletion(program: Command): void {
  const shells = Object.keys(COMPLETION_SCRIPTS) as (keyof typeof COMPLETION_SCRIPTS)[]
  program
    .command('completion')
    .addArgument(new Argument('<shell>', 'the shell').choices(shells))
    .description('print the completion script of a shell')
    .addHelpText(
      'after',
      examples(
        'eval "$(phantom completion bash)"     # in ~/.bashrc',
        'eval "$(phantom completion zsh)"      # in ~/.zshrc, after compinit',
        'phantom completion fish | source      # in ~/.config/fish/config.fish',
      ),
    )
    .action((shell: keyof typeof COMPLETION_SCRIPTS) => {
      process.stdout.write(COMPLETION_SCRIPTS[shell])
    })
}
