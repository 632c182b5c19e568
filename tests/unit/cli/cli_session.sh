#!/bin/sh
# cli_session.sh COMMAND DAEMON: a session with the command as a user has it, daemon started by
# the command itself: exit statuses, JSON shapes, what Ctrl-C does.
set -eu
command=$1
daemon=$2
scratch=$(mktemp -d)
mkdir -m 700 "$scratch/run" "$scratch/bin"
ln -s "$command" "$scratch/bin/elluminate"
unset ELLUMINATE_SOCKET OPENAI_API_KEY ANTHROPIC_API_KEY
export XDG_RUNTIME_DIR="$scratch/run" XDG_STATE_HOME="$scratch/state" HOME="$scratch"
export XDG_CONFIG_HOME="$scratch/config" LC_ALL=C.UTF-8
# The command looks beside itself, in PATH, and where a build leaves the daemon.
PATH=$(dirname "$daemon"):$PATH

finish()
{
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
	cat out err >&2
	exit 1
}

# expect STATUS ARGUMENT...: out and err are what it printed.
expect()
{
	wanted=$1
	shift
	status=0
	"$command" "$@" >out 2>err || status=$?
	[ "$status" = "$wanted" ] || fail "elluminate $*: status $status instead of $wanted"
}

says()
{
	grep -q -- "$2" "$1" || fail "no $2 in $1"
}

"$daemon" --version >out
says out '^SQLite [0-9.]*$'

cat >good.json <<'END'
{ // a sample
  "name": "Sample",
  "prompt_template": { "name": "Sample", "messages": "About {{topic}}." },
  "collection": { "name": "Topics", "file": "topics.csv" },
  "criteria": [ "Is it short?", "Is it about {{topic}}?" ] }
END
printf 'topic\ncoffee\nrain\ntea\n' >topics.csv

# Without a daemon
expect 69 --no-start status
says err 'no daemon answers at'
expect 69 run good.json --dry-run --no-start

# Several commands at once start one daemon
for i in 1 2 3 4; do
	"$command" status >"status$i" 2>&1 &
done
wait
for i in 1 2 3 4; do
	says "status$i" '^Daemon     elluminated'
done

expect 0 run good.json --dry-run
says out 'user: About coffee.'
says out 'New: Sample'
says out 'Answered by    simulated'
says out '3 cases: 9 calls'
for what in task experiment; do
	expect 0 $what list --json
	says out '^{"items":\[\]}$'
done
expect 27 api GetCollection '{"collection":{"name":"Topics"}}'

expect 0 run good.json
says err 'Collection Topics: new, 3 rows.'
says out 'Simulated'
says out 'all of them (success rate)'
expect 0 run good.json --json
says out '^{"task_id":1,.*"status":"SUCCESS"'
[ "$(tail -n 1 out | cut -c 1-15)" = '{"experiment":{' ] || fail "the last line is not the experiment"
expect 0 task list --json
[ "$(grep -c '"id":' out)" = 1 ] || fail "an unchanged experiment ran again"
printf 'topic\ncoffee\n' >topics.csv
expect 0 run good.json
says err 'Collection Topics: 1 row instead of 3.'
says out 'Sample #2'
expect 0 run good.json --detach --json
says out '^{"task":{"id":'
expect 0 experiment show Sample
says out 'Answered by    simulated'
expect 0 experiment responses 1
expect 0 experiment responses 1 --json
expect 0 experiment list
expect 0 task show 1
expect 0 task logs 1
expect 0 task watch 1
expect 0 task cancel 1
says out 'Task 1 is SUCCESS.'
expect 0 status --json
expect 0 api org.varlink.service.GetInfo
expect 0 api WatchTask '{"id":1}' --more

# Which config answers
printf '{"llm_config":{"name":"other","provider":"simulated","llm_model_name":"second"}}' >other.json
expect 0 api CreateLLMConfig "$(cat other.json)"
expect 0 llm default
says out '^simulated$'
expect 0 run good.json --dry-run --json
says out '"finished":true,.*"model":{"provider":"simulated","llm_model_name":"simulated"}'
expect 0 llm default other
expect 0 llm list
says out '2  default  simulated  second .* other$'
expect 0 llm show other
says out '^Model *second$'
expect 0 run good.json --dry-run --json
says out '"is_new":true,.*"model":{"provider":"simulated","llm_model_name":"second"}'
expect 0 llm default simulated
expect 27 llm default nobody

# A file to begin with, which is never written over
expect 0 init
expect 0 run experiment.json
says out '^First steps '
expect 0 collection show Topics
says out '^Variables *1$'
echo mine >mine.json
expect 2 init mine.json
says err 'mine.json is there already'
[ "$(cat mine.json)" = mine ] || fail "init wrote over a file"

# What is called by a name is made, shown and changed by it, or by its id
expect 0 project create Web
expect 0 project show Web default
[ "$(sed -n 's/^Name *//p' out | tr '\n' ' ')" = 'Web default ' ] || fail "not these projects"
expect 0 project update Web --description ours
says out '^Name *Web$'
says out '^Description *ours$'
expect 0 project show "$(sed -n 's/^ID *//p' out)" --project default
says out '^Name *Web$'
expect 27 project show Wbe
says err 'Did you mean Web?'
expect 0 project delete Web
expect 23 llm get simulated
says err 'One that is there is shown by: elluminate llm show NAME'
expect 0 collection create Rows --read-only
says out '^Read only *yes$'
expect 0 collection update Rows --read-only=false
says out '^Read only *no$'
expect 2 collection update Rows --read-only=maybe
says err '--read-only maybe: expected true or false'
expect 0 criteria create checked 'It greets.' --check starts-with=Hello
says out '(starts_with Hello)'
expect 23 criteria add checked 'It is odd.' --check 'regex=('
says err '--check regex=(: expected a pattern'

# A key of the environment: of a variable that is named, or of the provider's usual one, which is said once
MINE=one expect 0 llm create keyed --provider openai --llm-model-name m --api-key-env MINE
says out '^Key *yes$'
expect 2 llm update keyed --api-key-env NOBODYS
says err '--api-key-env NOBODYS: the environment has no variable NOBODYS'
OPENAI_API_KEY=two expect 0 llm create usual --provider openai --llm-model-name m
says err '^Using the key in .OPENAI_API_KEY.$'
cat >pairs.json <<'END'
{ "name": "Pairs", "prompt_templates": [ { "name": "A", "messages": "A {{topic}}" },
    { "name": "B", "messages": "B {{topic}}" } ], "collection": { "name": "Topics", "file": "topics.csv" },
  "criteria": [ "Is it short?" ],
  "llm_config": { "name": "gpt", "provider": "openai", "llm_model_name": "m" } }
END
OPENAI_API_KEY=two expect 0 run pairs.json --dry-run
[ "$(grep -c '^Using the key' err)" = 1 ] || fail "the key is told again and again"
expect 0 llm delete keyed usual

# A text of several lines stands apart from what is printed around it; a list in CSV has one header
expect 0 experiment annotate 1 "$(printf 'first\n9  row 9, epoch 9')"
expect 0 experiment responses Sample --reasoning
says out '^  9  row 9'
expect 0 experiment responses Sample --reasoning --epoch 99
says err '^There is no such response.$'
expect 0 experiment add-epochs Sample --epochs 1
expect 0 experiment responses Sample --format csv -n 1
expect 0 experiment case Sample "$(sed -n '2s/[0-9]*,\([0-9]*\),.*/\1/p' out)" --format csv
[ "$(grep -c '^id,' out)" = 1 ] || fail "not one header"

# Experiments side by side are numbers in CSV, as those of a matrix are
expect 0 experiment compare Sample 'Sample #2' --format csv
says out '^id,experiment,yes,low,high,n_scored,n_total,criterion$'
says out '^1,Sample,[0-9.]*,[0-9.]*,[0-9.]*,[0-9]*,[0-9]*,Is it short?$'
expect 0 experiment show Sample 'Sample #2' --format csv
[ "$(sed 's/,.*//' out | uniq | tr '\n' ' ')" = 'id 1 2 ' ] || fail "the rows do not say whose they are"
printf 'name: Polite\nprompt: "About {{topic}}."\nvalidators: [{evaluator: {name: Politeness}, threshold: 0.7}]\n' >skill.yaml
expect 0 skill create skill.yaml
says out '^Validators *Politeness  (at least 0.7)$'

# An archive of a collection says what it was, and may come in under another name
expect 0 collection export Topics -o topics.tar
says err '^Exported: 1 row.$'
expect 0 import topics.tar
says err '^Collection Topics: it is here already, with these rows.$'
expect 0 import topics.tar --name 'More topics'
expect 0 collection show 'More topics'
says out '^Columns *topic  (text)$'
expect 27 export Smaple -o sample.tar
says err 'Did you mean Sample?'

# Defaults from a file, the environment over it, options over both
mkdir -p config/elluminate
printf '; mine\nproject = P\ncolor = always\n' >config/elluminate/command.conf
expect 27 task list
says err "no project named 'P'"
grep -q "$(printf '\033')" err || fail "no colours"
expect 27 task list --no-color
grep -q "$(printf '\033')" err && fail "colours"
ELLUMINATE_PROJECT=Q expect 27 task list
says err "no project named 'Q'"
ELLUMINATE_PROJECT=Q expect 0 task list --project default
printf 'project = P\ncolour = always\n' >config/elluminate/command.conf
expect 2 task list
says err 'command.conf:2: unknown key colour; did you mean color?'
printf 'project = P\n color = always\n' >config/elluminate/command.conf
expect 2 task list
says err 'command.conf:2: project is said already'
printf 'bus = tram\n' >config/elluminate/command.conf
expect 2 task list
says err 'command.conf:1: bus: expected one of session system'
printf 'socket = %s/nowhere\n' "$scratch" >config/elluminate/command.conf
expect 69 task list
says err "no daemon answers at $scratch/nowhere"
expect 0 task list --user
rm config/elluminate/command.conf

# The daemon as a process
pid=$(head -n 1 "$scratch/state/elluminate/lock")
expect 0 status
says out ", process $pid$"
says out "^Socket     $scratch/run/elluminate/socket$"
says out "^Storage    $scratch/state/elluminate, "
says out "^Log        $scratch/state/elluminate/log$"
expect 0 restart
says err 'Started your daemon'
[ "$(head -n 1 "$scratch/state/elluminate/lock")" != "$pid" ] || fail "the same process"

# Names and ids, from the daemon; it is not started for them
shell_says()
{
	bash -c 'source <("$1" completion bash); shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
		COMP_LINE="$*"; COMP_LINE=${COMP_LINE// : /:} COMP_LINE=${COMP_LINE// = /=}
		_elluminate; printf "%s\n" "${COMPREPLY[@]}"' bash "$command" "$command" "$@" >out 2>err
	[ ! -s err ] || fail "the completion speaks"
}
expect 0 collection create --name "two words; \$(touch x)"
shell_says collection show two
says out '^two\\ words\\;\\ \\$\\(touch\\ x\\)$'
shell_says run good.json --llm pre
says out '^pretender$'
shell_says collection export two
says out '^two\\ words'
shell_says experiment compare Sample 'Sample #'
says out '^Sample\\ #2$'
shell_says power Samp
says out '^Sample$'
shell_says criteria link checked Samp
says out '^Sample$'
shell_says run good.json --judges simulated,pre
says out '^simulated\\,pretender$'
shell_says run good.json --evaluators Poli
says out '^Politeness$'
shell_says run good.json --fail-on-regression Samp
says out '^Sample$'
shell_says task show ''
says out '^1$'
shell_says run ''
[ "$(cat out)" = '' ] || fail "experiments in the place of files"
shell_says experiment responses '"Sample' --criterion 'Is\ it'
says out '^Is\\ it\\ about\\ \\{\\{topic\\}\\}\\?$'
shell_says rate Sample --where ''
says out '^2=NO$'
shell_says criteria create checked --check is_
says out '^is_json$'
shell_says cost --by day,mo
says out '^day\\,model$'
shell_says collection show '"two w'
# shellcheck disable=SC2016 # what is completed holds it as it is
says out '^two words; \\\$(touch x)$'
expect 0 collection create --name "it's"
shell_says collection show "'it"
says out "^it'\\\\''s\$"
shell_says collection show 'two\ w'
says out '^two\\ words'
# Where bash cuts them.
expect 0 collection create --name small:8b
shell_says collection show small : 8
says out '^8b$'
shell_says rate Sample --where 2 = N
says out '^NO$'
shell_says cost --by = day,mo
says out '^day\\,model$'
if command -v zsh >/dev/null; then
	zsh -f "$(dirname "$0")/typed.zsh" "$command" "elluminate task wat" "elluminate collection show two" \
		"elluminate collection show 'two" 'elluminate cost --by day,mo' 'elluminate cost --by=day,mo' \
		'elluminate criteria create checked --check starts' \
		'elluminate experiment responses "Sample" --criterion "Is it a' >out
	says out '^elluminate task watch $'
	says out "^elluminate collection show 'two words; \$(touch x)' $"
	says out '^elluminate cost --by day,model $'
	says out '^elluminate cost --by=day,model $'
	says out '^elluminate criteria create checked --check starts_with $'
	says out '^elluminate experiment responses "Sample" --criterion "Is it about {{topic}}?" $'
	says out '^elluminate collection show two\\ words\\;\\ \\$\\(touch\\ x\\) $'
fi
if command -v fish >/dev/null; then
	PATH="$scratch/bin:$PATH" fish --no-config -c 'elluminate completion fish | source
		complete -C "elluminate task "
		complete -C "elluminate cost --by=day,mo"
		complete -C "elluminate run goo"
		complete -C "elluminate criteria create checked --check starts"
		complete -C "elluminate experiment responses Sample --criterion \"Is it a"' >out
	says out '^watch'
	says out '^--by=day,model$'
	says out '^good.json$'
	[ "$(grep -c '^topics' out)" = 0 ] || fail "files among names"
	says out '^starts_with$'
	says out 'Is it about {{topic}}?'
fi
expect 0 stop
shell_says collection show two
[ ! -s out ] || [ "$(cat out)" = '' ] || fail "names without a daemon"
expect 69 status --no-start
expect 0 stop
says err 'No daemon runs.'
expect 2 restart --socket "$scratch/run/elluminate/socket"

# What the interface calls a group
expect 0 help llm-config list
says out '^Usage: elluminate llm list'
expect 0 criterion-set create --help
says out '^Usage: elluminate criteria create'

# What is wrong
expect 2 tsak list
says err 'did you mean task?'
expect 2 task
says err 'task what? list, show, '
expect 2 run good.json --dryrun
says err 'did you mean --dry-run?'
expect 2 rnu good.json
says err 'did you mean run?'
expect 2 help tsak list
says err 'did you mean task?'
expect 0 help task
says out '^  task tune ID'
[ "$(grep -c '^  [a-z]' out)" = 12 ] || fail "not the commands of tasks alone"
expect 0 task --help
says out '^  task tune ID'
expect 27 task show 4711
expect 23 api GetTask '{"id":0}'
says err 'id: expected'
expect 21 api NoSuchMethod
expect 21 api GetTaks '{"id":1}'
says err 'Did you mean GetTask?'
expect 23 api GetExperiment '{"experiment":"Sample"}'
says err 'In a request, other than in a file, that is {"name": '
expect 23 api RunExperiment '{"prompt_template":{"name":"Sample"}}'
says err 'that is {"ref": {"name": "…"}} or {"content": '
expect 26 api GetTask '{"id":'
expect 2 task show x
expect 2 run nothing.json
printf '{"name":"x","colour":1}' >bad.json
expect 23 run bad.json
says err 'bad.json:1:13: colour: expected'
printf '{"name":"x","collection":{"name":"none","variables":[]},"prompt_template":"Sample"}' >bad.json
expect 13 run bad.json
says err 'REJECTED: bad.json:1:13: collection: expected'
expect 13 run bad.json --detach
printf '{"name":"x","collection":"Topics","prompt_template":{"ref":{"name":"Sample"}}}' >bad.json
expect 2 run bad.json
says err 'bad.json:1:[0-9]*: prompt_template.ref: that is the form of the interface: a file has the name alone'
printf '{"name":"x","collection":"Topics","llm_config":{"content":{"name":"c"}}}' >bad.json
expect 2 run bad.json
says err 'llm_config.content: that is the form of the interface: a file has its fields'
sed 's|"criteria"|"llm_config": {"name":"dead","provider":"openai","llm_model_name":"m",\
  "llm_base_url":"http://127.0.0.1:9/v1","max_retries":0}, "criteria"|; s/"Sample"/"Dead"/g' \
	good.json >dead.json
expect 10 run dead.json

# Rows that are none, or that cannot be read twice, do not take the place of those that are there
printf 'topic\n' >topics.csv
expect 2 run good.json
says err 'collection Topics: no rows in the place of its 1'
rm topics.csv
mkfifo topics.csv
printf 'topic\ncoffee\n' >topics.csv &
expect 2 run good.json
says err 'topics.csv: expected a file that can be read again'
wait
rm topics.csv
printf 'topic\ncoffee\n' >topics.csv
expect 0 collection show Topics
says out '^Variables *1$'

# What cannot be written is said, also of what is printed on the way; what is closed stays closed
for line in 'run good.json' 'run good.json --json' 'task list --json' 'api GetStatus --more' help; do
	status=0
	# shellcheck disable=SC2086
	timeout 60 "$command" $line >/dev/full 2>err || status=$?
	[ "$status" = 71 ] || fail "elluminate $line: status $status with a full disk"
	says err 'the output could not be written: No space left on device'
done
status=0
"$command" task list --json >&- 2>err || status=$?
[ "$status" = 71 ] || fail "status $status without an output"
"$command" run good.json --new <&- 2>&- >out || fail "it fails without a place for notes"
says out 'all of them (success rate)'

# Ctrl-C cancels, and the same command continues
sed 's|"criteria"|"llm_config": {"name":"slow","provider":"simulated","max_connections":1,\
  "custom":{"latency_seconds":0.2}}, "criteria"|; s/"Sample"/"Slow"/g; s/topics/many/; s/Topics/Many/' \
	good.json >slow.json
seq 1 20 | sed '1i topic' >many.csv
status=0
timeout --foreground -s INT 1.5 "$command" run slow.json >out 2>err || status=$?
says err 'Continue: elluminate run slow.json'
says err 'REVOKED'
expect 0 run slow.json --limit 20 --max-connections 1 --dry-run
sed -i 's/0.2/0.01/' slow.json
expect 0 run slow.json --json
says out '"total_responses":20'
expect 1 run slow.json --fail-under 100%
says err 'below 100 %'
expect 0 run slow.json --fail-under 1%
job=$(dirname "$0")/../../../client/examples/ci_job.sh
PATH="$scratch/bin:$PATH" "$job" slow.json 1% 2>err || fail "the job fails"
status=0
PATH="$scratch/bin:$PATH" "$job" slow.json 100% 2>err || status=$?
[ "$status" = 1 ] || fail "the job ends with status $status"
cp results.xml out
says out '<testsuites\|<testsuite '
