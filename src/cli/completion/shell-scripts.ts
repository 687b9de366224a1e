/*
 * What each shell runs when Tab is pressed. None of the scripts knows a command or an option: they hand the
 * words to `everthread complete`, which answers from the tree of commands. So a script that somebody has
 * saved is right for every later release.
 *
 * The answer is one line with `files`, `directories` or `none`, then `value TAB description` a line.
 */

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

/** Words end at `=` and `:` for bash: of a value the part before is on the line already. */
const BASH = `# Completion of everthread for bash. In ~/.bashrc:
#   source <(everthread completion bash)
_everthread() {
  local line=\${COMP_LINE:0:COMP_POINT} kind value description before=''
  local breaks=\${COMP_WORDBREAKS//[!=:]/} word
  word=\${line##*[[:space:]]}
  if [ -n "$breaks" ]; then before=\${word%"\${word##*[$breaks]}"}; fi
  COMPREPLY=()
  {
    read -r kind
    while IFS=$'\\t' read -r value description; do
      COMPREPLY+=("\${value#"$before"}")
      case $value in *: | */) compopt -o nospace 2>/dev/null ;; esac
    done
  } < <("\${1/#\\~/$HOME}" complete bash -- "$line" 2>/dev/null)
  case $kind in
    files) compopt -o default 2>/dev/null ;;
    directories) compopt -o dirnames 2>/dev/null ;;
  esac
}
complete -F _everthread everthread
`

const ZSH = `#compdef everthread
# Completion of everthread for zsh. In ~/.zshrc, after compinit:
#   source <(everthread completion zsh)
# or as a file in a folder of $fpath:
#   everthread completion zsh > "\${fpath[1]}/_everthread"
_everthread() {
  local kind line value description
  local -a lines whole open
  lines=("\${(@f)$(\${~\${(Q)words[1]}} complete zsh -- "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2>/dev/null)}")
  kind=$lines[1]
  for line in $lines[2,-1]; do
    value=\${line%%$'\\t'*}
    description=\${line#*$'\\t'}
    line=\${value//:/\\\\:}\${description:+:$description}
    case $value in
      *: | */) open+=("$line") ;;
      *) whole+=("$line") ;;
    esac
  done
  (( $#open )) && _describe everthread open -S ''
  (( $#whole )) && _describe everthread whole
  [[ $kind == none ]] || { compset -P '--*='; }
  case $kind in
    files) _files ;;
    directories) _files -/ ;;
  esac
}
if [[ $funcstack[1] == _everthread ]]; then
  _everthread "$@"
else
  compdef _everthread everthread
fi
`

const FISH = `# Completion of everthread for fish. As a file that fish finds by itself:
#   everthread completion fish > ~/.config/fish/completions/everthread.fish
function __everthread_complete
    set -l words (commandline -opc)
    set -l token (string unescape -- (commandline -ct))
    set -l lines ($words[1] complete fish -- $words[2..-1] "$token" 2>/dev/null)
    set -l option (string match -r '^--[^=]+=' -- "$token")
    set -l path (string sub -s (math (string length -- "$option") + 1) -- "$token")
    switch "$lines[1]"
        case files
            printf "$option%s\\n" (__fish_complete_path "$path")
        case directories
            printf "$option%s\\n" (__fish_complete_directories "$path" '')
    end
    test (count $lines) -gt 1; and printf '%s\\n' $lines[2..-1]
end
complete -c everthread -f -a '(__everthread_complete)'
`

export const SHELL_SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH }
