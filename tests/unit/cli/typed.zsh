# What becomes of each argument, typed into an interactive zsh and completed: a line each.
# zsh -f typed.zsh COMMAND TEXT...
zmodload zsh/zpty
command=$1
shift
zpty -b shell zsh -f -i
# What is typed ends with ^X, which prints the line as it is then.
zpty -w shell "PS1=; path=(${(q)command:h} \$path); autoload -U compinit; compinit -u -D"
zpty -w shell 'source <(elluminate completion zsh)'
zpty -w shell 'show() { print -r "LINE=$BUFFER=END"; BUFFER=; zle accept-line }; zle -N show; bindkey "^X" show'
zpty -w shell 'print REA""DY'
zpty -r -m shell output '*READY*'
for typed; do
	zpty -w -n shell $typed$'\t\x18'
	zpty -r -m shell output '*LINE=*=END*'
	print -r -- "${${output##*LINE=}%%=END*}"
done
zpty -d shell
