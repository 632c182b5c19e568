#!/bin/sh
# readme_session.sh SOURCE COMMAND DAEMON SIM LIBRARY HEADER-FOLDER...: types what the README prints,
# as somebody does who has just built the program: the first experiment (against an endpoint of the
# test's own), the C program, the call over D-Bus. Its tables name what there is.
set -eu
source=$1
command=$2
daemon=$3
sim=$4
library=$5
shift 5
scratch=$(mktemp -d)
readme=$source/README.md
unset ELLUMINATE_SOCKET OPENAI_API_KEY
mkdir -m 700 "$scratch/run"
export XDG_RUNTIME_DIR="$scratch/run" XDG_STATE_HOME="$scratch/state" HOME="$scratch"
export XDG_CONFIG_HOME="$scratch/config" LC_ALL=C.UTF-8
PATH=$(dirname "$command"):$(dirname "$daemon"):$PATH
endpoint=

finish()
{
	[ -z "$endpoint" ] || kill "$endpoint"
	if pid=$(head -n 1 "$scratch/state/elluminate/lock" 2>/dev/null) && kill "$pid" 2>/dev/null; then
		timeout 30 tail --pid="$pid" -s 0.01 -f /dev/null || true
	fi
	rm -rf "$scratch"
}
trap finish EXIT
cd "$scratch"

fail()
{
	echo "README: $*" >&2
	exit 1
}

# block LANGUAGE TEXT: the block of the README in that language that has the text.
block()
{
	awk -v language="$1" -v text="$2" '
		/^```/ && inside { if (index(block, text)) { printf "%s", block; exit } inside = 0; next }
		/^```/ { inside = $0 == "```" language; wanted = inside; block = ""; inside = 1; next }
		inside && wanted { block = block $0 "\n" }' "$readme"
}

# ---- Tables ----

elluminate help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\( [a-z-]*\)\{0,1\}\) .*/\1/p' | sed 's/ *$//' |
	grep -vx 'help\|version' | sort >there
# shellcheck disable=SC2016 # the quotes of Markdown
sed -n 's/^| `elluminate \([^`]*\)` |.*/\1/p' "$readme" | sed 's/ \[\{0,1\}[A-Z].*//; s/\\|/|/g' |
	awk '{ if ($2 == "") { print $1; next } n = split($2, words, "|")
		for (i = 1; i <= n; i++) print $1, words[i] }' | sort >told
diff there told >&2 || fail "the table of commands differs from elluminate help"

# shellcheck disable=SC2013 # a word a line
for key in $(sed -n 's/^	\(KEY\|WORD\|GROUP\)("[a-z]*", \([a-z_]*\).*/\2/p' "$source/daemon/config.c"); do
	grep -q "^| \`\[[a-z]*\]\` |.*\`$key\`" "$readme" || fail "the configuration key $key is missing"
done
# shellcheck disable=SC2016 # the quotes of Markdown
for path in $(cat "$readme" "$source/daemon/README.md" |
	grep -o '`[a-z][a-z]*/[a-z][a-z_./]*`' | tr -d '`' | sort -u); do
	[ -e "$source/$path" ] || [ -e "$source/daemon/$path" ] || fail "there is no $path"
done

# ---- The first experiment ----

# shellcheck disable=SC2094 # the program and its output's file are two
"$sim" --latency_seconds=0.01 >sim &
endpoint=$!
until port=$(sed -n 's|.*127.0.0.1:\([0-9]*\).*|\1|p' sim) && [ -n "$port" ]; do
	kill -0 "$endpoint"
done
block sh 'printf' >cases.sh
sh -eu cases.sh
block '' '"Haiku quality"' | sed "s/127.0.0.1:8080/127.0.0.1:$port/" >haiku.json
block sh 'run haiku.json --dry-run' >first.sh
[ "$(wc -l <first.sh)" = 3 ] || fail "the first experiment's commands are gone"
while read -r line; do
	status=0
	sh -euc "$line" </dev/null >out 2>err || status=$?
	case $line in
	*--fail-under*) [ $status -le 1 ] ;;
	*) [ $status = 0 ] ;;
	esac || {
		cat out err >&2
		fail "$line: status $status"
	}
	case $line in
	*--dry-run*) grep -q '^3 cases: 27 calls' out || fail "$line counts otherwise" ;;
	*) grep -q 'success rate' out || fail "$line brings no results" ;;
	esac
done <first.sh
# Again and unchanged: no call. Then the prompt.
asked=$(elluminate task list --json | grep -c '"id":')
elluminate run haiku.json >out
[ "$(elluminate task list --json | grep -c '"id":')" = "$asked" ] || fail "unchanged, it ran again"
sed -i 's/Write a haiku/Write a good haiku/' haiku.json
elluminate run haiku.json >out 2>&1
grep -q 'Haiku quality #2' out || fail "with another prompt it is not #2"
sh -euc "$(grep -o "elluminate api org.varlink[^\`]*" "$readme")" >out
grep -q 'method RunExperiment' out || fail "the interface does not describe itself"

# ---- The program in C ----

block c 'ellu_open(' >program.c
includes=
for folder; do
	includes="$includes -I$folder"
done
# shellcheck disable=SC2086
cc -Wall -Werror $includes program.c "$library" -Wl,-rpath,"$(dirname "$library")" -o program
./program >out 2>err || fail "the program in C fails"
grep -q 'task' err || fail "the program in C does not say that there is no task 42"

# ---- The program in Python ----

package=$(dirname "$command")/python
if [ -e "$package/elluminated/interface.py" ] && command -v python3 >/dev/null; then
	block python 'Client()' >program.py
	PYTHONPATH=$package python3 -W error program.py >out 2>err || {
		cat out err >&2
		fail "the program in Python"
	}
	grep -q '^SUCCESS 100' out || fail "the program in Python does not come to its end"
fi

# ---- Over D-Bus ----

if command -v gdbus >/dev/null && command -v dbus-run-session >/dev/null; then
	block sh 'gdbus call' | grep -v '^gdbus monitor' >bus.sh
	cat >session.sh <<-'END'
		mkfifo ready
		elluminated --state-dir bus-state --socket bus-socket --ready-fd 3 3>ready 2>log &
		read -r _ <ready
		gdbus wait --session --timeout 60 org.elluminate.Elluminate1
		folder=$PWD
		cd "$1" && sh -eu "$folder/bus.sh"
		kill $!
		wait
	END
	dbus-run-session -- sh -eu session.sh "$source" >out 2>err || {
		cat out err log >&2
		fail "the call over D-Bus"
	}
	grep -q '/org/elluminate/Elluminate1/task/1' out || fail "the call over D-Bus answers no task"
fi
