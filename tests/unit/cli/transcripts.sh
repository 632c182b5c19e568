#!/bin/sh
# transcripts.sh COMMAND DAEMON FOLDER: what the command shows on a terminal of 80 and of 120 columns, against
# the screens kept in FOLDER (80.txt, 120.txt). With UPDATE=1 they are written anew: look at what has changed.
set -eu
command=$1
daemon=$2
kept=$3
command -v tmux >/dev/null || exit 77
scratch=$(mktemp -d)
mkdir -m 700 "$scratch/run"
unset ELLUMINATE_SOCKET TMUX NO_COLOR
export XDG_RUNTIME_DIR="$scratch/run" XDG_STATE_HOME="$scratch/state" HOME="$scratch"
export XDG_CONFIG_HOME="$scratch/config" TMUX_TMPDIR="$scratch" LC_ALL=C.UTF-8 TZ=UTC PAGER=
PATH=$(dirname "$command"):$(dirname "$daemon"):$PATH

finish()
{
	tmux kill-server 2>/dev/null || true
	if pid=$(head -n 1 "$scratch/state/elluminate/lock" 2>/dev/null) && kill "$pid" 2>/dev/null; then
		timeout 30 tail --pid="$pid" -s 0.01 -f /dev/null || true
	fi
	rm -rf "$scratch"
}
trap finish EXIT
cd "$scratch"

fail()
{
	echo "$*" >&2
	exit 1
}

# screen LINE: what is on it now, without what differs from run to run.
screen()
{
	printf '\n$ %s\n' "$1"
	tmux capture-pane -p -t screen |
		sed 's/[0-9]\{4\}-[0-9][0-9]-[0-9][0-9] [0-9:]\{8\}/2026-01-31 12:00:00/
			s/[0-9]\.[0-9][0-9] s/0.00 s/
			s/^\(Duration *p50\) .*/\1 .../
			/^ *0\.00 s .* 0\.00 s$/d
			s/^\( *rating\) [0-9]*/\1 1/
			/^Task [0-9]* waits for its turn/d' |
		sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
}

# begin COLUMNS LINE: runs it on a terminal of its own.
begin()
{
	tmux new-session -d -s screen -x "$1" -y 30 "$2; tmux wait-for -S ended; cat"
}

# shows COLUMNS LINE: the screen when it has ended.
shows()
{
	begin "$1" "$2"
	tmux wait-for ended
	screen "$2"
	tmux kill-session -t screen
}

cat >sample.json <<'END'
{ "name": "Sample",
  "prompt_template": { "name": "Sample", "messages": "Write a sentence about {{topic}}." },
  "collection": { "name": "Topics", "variables": [ {"topic": "coffee"}, {"topic": "rain"}, {"topic": "\u001b[31mred"} ] },
  "criteria": [ "Is it short?", "Is it about {{topic}}, and of nothing else that anybody could possibly think of in this place?" ] }
END
sed 's/"name": "Sample",$/"name": "Sample", "n_epoch": 2,/' sample.json >wrong.json
cat >matrix.yaml <<'END'
name: M
prompt_templates:
- { name: Short, messages: 'About {{topic}}.' }
- { name: Long, messages: 'Write at length about {{topic}}.' }
llm_configs:
- { name: one, provider: simulated, max_connections: 1, custom: { latency_seconds: 3600 } }
- { name: two, provider: simulated, max_connections: 1, custom: { latency_seconds: 3600 } }
collection: { name: MT, variables: [ {topic: a}, {topic: b}, {topic: c} ] }
criteria: [ Is it short? ]
END
sed 's/"name": "Sample",$/"name": "Other",/; s/a sentence/two sentences/' sample.json >other.json
for file in sample.json other.json; do # one after the other, so that ids are the same each time
	elluminate run "$file" --max-connections 1 --quiet >/dev/null
done
tmux -f /dev/null new-session -d -s keep cat # a server without a session ends

# What has ended, at one width after the other, before there are further experiments to be listed.
for columns in 80 120; do
	for line in 'experiment list' 'collection rows Topics' 'collection show Topics' \
		'experiment show Sample' 'experiment responses Sample' 'experiment case Sample 1' \
		'experiment compare Sample Other' \
		'run wrong.json' 'collection show Topcis' 'task lst'; do
		shows "$columns" "elluminate $line"
	done >"$columns.txt"
done

# What a model says
for columns in 80 120; do
	shows "$columns" "elluminate call 'Name a river.' --system-message 'Be brief.'" >>"$columns.txt"
	shows "$columns" "printf 'Name a river.\\nAnd another one.\\n' | elluminate chat" >>"$columns.txt"
done

# A matrix in progress
for columns in 80 120; do
	sed "s/^name: .*/name: M$columns/" matrix.yaml >"m$columns.yaml"
	begin "$columns" "elluminate run m$columns.yaml"
	tries=0
	until [ "$(tmux capture-pane -p -t screen | grep -c answered)" = 4 ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 5000 ] || fail "no progress of four: $(tmux capture-pane -p -t screen)"
	done
	screen "elluminate run m$columns.yaml" >>"$columns.txt"
	tmux send-keys -t screen C-c
	tmux wait-for ended
	tmux kill-session -t screen
	[ -z "${UPDATE:-}" ] || cp "$columns.txt" "$kept/$columns.txt"
	diff "$kept/$columns.txt" "$columns.txt" || fail "at $columns columns it looks otherwise"
done
