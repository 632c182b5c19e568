#!/bin/sh
# command_described.sh COMMAND PAGE COMPLETION: elluminate(1) and the completion in bash know every
# command and option that the command's own help knows, and no others.
set -eu
command=$1
page=$2
completion=$3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail()
{
	echo "$*" >&2
	exit 1
}

# same WHAT FILE FILE
same()
{
	diff "$2" "$3" >&2 || fail "$1 differ"
}

# options_in: those that stand at the beginning of a line of standard input.
options_in()
{
	sed 's/\\-/-/g; s/\\f[A-Z]//g; s/^ *-[a-z], / /' | grep -o '^ *--[a-z-]*' | tr -d ' ' | sort -u
}

# completed WORD...: what is offered for the last of them.
completed()
{
	bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"
		COMP_LINE=${COMP_LINE// = /=}
		_elluminate; printf "%s\n" "${COMPREPLY[@]}"' bash "$completion" "$command" "$@"
}

"$command" help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\( [a-z-]*\)\{0,1\}\) .*/\1/p' |
	sed 's/ *$//' >"$scratch/commands"
[ "$(wc -l <"$scratch/commands")" -gt 10 ] || fail "too few commands"
sed -n 's/^\.SS elluminate \([a-z-]*\( [a-z-]*\)\{0,1\}\) .*/\1/p' "$page" | sed 's/ *$//' \
	>"$scratch/documented"
same "the commands of elluminate(1)" "$scratch/commands" "$scratch/documented"

"$command" help | options_in >"$scratch/global"
sed -n '/^\.SH OPTIONS OF ALL/,/^\.SH EXIT/p' "$page" | options_in >"$scratch/documented"
same "the options of all commands in elluminate(1)" "$scratch/global" "$scratch/documented"

while read -r name; do
	# shellcheck disable=SC2086 # one word or two
	"$command" help $name | options_in >"$scratch/all"
	comm -23 "$scratch/all" "$scratch/global" >"$scratch/own"
	awk -v name="$name" '/^\.S/ { inside = index($0, ".SS elluminate " name " ") == 1 } inside' \
		"$page" | options_in >"$scratch/documented" || true
	same "the options of $name in elluminate(1)" "$scratch/own" "$scratch/documented"
	# shellcheck disable=SC2086
	completed $name -- | sort >"$scratch/completed"
	same "the options that are completed after $name" "$scratch/all" "$scratch/completed"
done <"$scratch/commands"

cut -d ' ' -f 1 "$scratch/commands" | sort -u >"$scratch/words"
completed '' | sort >"$scratch/completed"
same "the first words that are completed" "$scratch/words" "$scratch/completed"
[ "$(completed task wat)" = watch ] || fail "task wat is not completed"
[ "$(completed --project x experiment sh)" = show ] || fail "the value of an option is a command"
[ "$(completed task list --status SU)" = SUCCESS ] || fail "the value of an option is not completed"
[ "$(completed task list --format = js | tr '\n' ' ')" = 'json jsonl ' ] || fail "--format=js is not completed"
[ "$(completed completion z)" = zsh ] || fail "the operand of completion is not completed"
[ "$(completed api GetTas)" = GetTask ] || fail "methods are not completed"
[ "$(completed help task wa)" = watch ] || fail "what help explains is not completed"
[ -z "$(completed run '')" ] || fail "files are not left to the shell"

# What formats pages has nothing to say about it.
if command -v groff >/dev/null; then
	groff -k -man -ww -z -Tutf8 "$page" 2>"$scratch/said"
	[ ! -s "$scratch/said" ] || fail "$(cat "$scratch/said")"
fi
