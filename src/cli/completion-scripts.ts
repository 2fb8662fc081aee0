/** Thin scripts: the shell hands over the words, `phantom __complete` answers `word<TAB>description` lines. */

// `$1` is the command as it was typed, so that a path to it completes, too. Where nothing fits, file names do.
// Read line by line: bash 3.2 (macOS) has no mapfile, and an unquoted expansion would glob.
const BASH = `# phantom completion for bash: eval "$(phantom completion bash)"
_phantom() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    [[ -n $line ]] && COMPREPLY+=("\${line%%$'\\t'*}")
  done < <("$1" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _phantom phantom
`

const ZSH = `#compdef phantom
# phantom completion for zsh: eval "$(phantom completion zsh)", after compinit
_phantom() {
  local line
  local -a names shown
  while IFS= read -r line; do
    [[ -z $line ]] && continue
    names+=("\${line%%$'\\t'*}")
    shown+=("\${line/$'\\t'/  }")
  done < <("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#names} )); then
    compadd -l -d shown -a names
  else
    _files
  fi
}
compdef _phantom phantom
`

const FISH = `# phantom completion for fish: phantom completion fish | source
function __phantom_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    $words[1] __complete -- $words[2..-1] "$current" 2>/dev/null
end
complete -c phantom -a '(__phantom_complete)'
`

export const COMPLETION_SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH } as const
