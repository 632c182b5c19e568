#!/bin/sh
# What must hold on a booted system: run inside it by boot.sh. Says each thing that it has seen;
# ends with 1 at the first that is not so.
set -eu

name=org.elluminate.Elluminate1
path=/org/elluminate/Elluminate1
manager=$name.Manager

fail()
{
	echo "FAILED: $*" >&2
	systemctl status elluminated --no-pager >&2 || true
	journalctl -u elluminated --no-pager -n 30 >&2 || true
	exit 1
}

seen()
{
	echo "seen: $*"
}

# holds TEXT COMMAND...: the command's output has the text.
holds()
{
	text=$1
	shift
	output=$("$@" 2>&1) || true
	case $output in
	*"$text"*) ;;
	*) fail "'$*' says '$output', expected '$text'" ;;
	esac
}

# eventually COMMAND...: succeeds within a minute.
eventually()
{
	for _ in $(seq 600); do
		if "$@" >/dev/null 2>&1; then
			return 0
		fi
		sleep 0.1
	done
	fail "never: $*"
}

property()
{
	systemctl show elluminated -P "$1"
}

is()
{
	[ "$(property "$1")" = "$2" ]
}

# as USER COMMAND...
as()
{
	user=$1
	shift
	runuser -u "$user" -- "$@"
}

# submit USER CASES SECONDS: a task whose calls take that long each; prints its id.
submit()
{
	as "$1" elluminate --system api RunExperiment "{\"name\": \"E$(date +%N)\", \"detach\": true,
		\"prompt_template\": {\"content\": {\"name\": \"T\", \"messages\": [{\"role\": \"user\", \"content\": \"Say {{n}}\"}]}},
		\"collection\": {\"content\": {\"name\": \"C$2\", \"variables\": [$(seq -s , "$2" | sed 's/[0-9]\+/{"n": "&"}/g')]}},
		\"llm_config\": {\"content\": {\"name\": \"slow $3\", \"provider\": \"simulated\", \"max_connections\": 4,
			\"custom\": {\"latency_seconds\": $3}}}}" |
		tr -d ' \n' | sed 's/.*"task":{"id":\([0-9]*\).*/\1/'
}

# More starts in a few seconds than an administrator would make.
mkdir -p /run/systemd/system/elluminated.service.d
printf '[Unit]\nStartLimitIntervalSec=0\n' >/run/systemd/system/elluminated.service.d/starts.conf
systemctl daemon-reload
eventually systemctl is-system-running --quiet
systemctl enable --quiet --now elluminated.socket || fail "the socket cannot be enabled"
is ActiveState inactive || fail "the service runs before anybody has called"

# ---- Activation, READY, STATUS ----

holds uptime as alice elluminate --system api GetStatus
is ActiveState active || fail "a call on the socket did not start the service"
is User elluminate || fail "the service runs as another user"
seen "socket activation"
eventually sh -c 'systemctl show elluminated -P StatusText | grep -q "0 running, 0 waiting"'
seen "READY and a status line"
systemctl stop elluminated.socket elluminated.service
holds uptime as alice busctl --json=short call $name $path $manager Call ss GetStatus '{}'
is ActiveState active || fail "a call on the bus did not start the service"
seen "bus activation"
systemctl start elluminated.socket 2>/dev/null || true
systemctl restart elluminated.service
[ -S /run/elluminate/socket ] || fail "the socket's path went with the service"

# ---- Users ----

id=$(submit alice 3 0)
eventually as alice sh -c "elluminate --system task show $id | grep -q SUCCESS"
as bob elluminate --system task show "$id" >/dev/null 2>&1 && fail "another user sees the task"
holds 'no task with the id' as bob busctl call $name $path $manager Call ss GetTask "{\"id\":$id}"
holds '"items":[]' as bob elluminate --system api ListTasks
holds SUCCESS elluminate --system task show "$id"
holds SUCCESS busctl call $name $path $manager Call ss GetTask "{\"id\":$id}"
seen "two users kept apart over both ways in, root let through"
as carol elluminate --system task show "$id" >/dev/null 2>&1 && fail "a group that was not named"
printf '[daemon]\nadministrator_group = staff\n' >/etc/elluminate/elluminated.conf
systemctl restart elluminated
holds SUCCESS as carol elluminate --system task show "$id"
holds SUCCESS as carol busctl call $name $path $manager Call ss GetTask "{\"id\":$id}"
as bob elluminate --system task show "$id" >/dev/null 2>&1 && fail "another user sees the task"
seen "the configured group let through"

# ---- polkit ----

# As GNOME's or KDE's agent would, a rule lets bob through.
administers()
{
	as bob busctl call $name $path $manager Call ss "$1" "$2"
}
holds 'no task with the id' administers GetTask "{\"id\":$id}"
holds 'Drain is for administrators' administers Drain '{}'
mkdir -p /etc/polkit-1/rules.d
cat >/etc/polkit-1/rules.d/10-test.rules <<'RULE'
polkit.addRule(function(action, subject) {
	if (action.id == "org.elluminate.Elluminate1.administer" && subject.user == "bob")
		return polkit.Result.YES;
});
RULE
systemctl restart polkit
holds SUCCESS administers GetTask "{\"id\":$id}"
holds "\\\"id\\\":$id" administers ListTasks '{}'
holds '\"name\":\"E' administers ListExperiments '{}'
holds '{}' administers Drain '{"undo": true}'
rm /etc/polkit-1/rules.d/10-test.rules
systemctl restart polkit
holds 'no task with the id' administers GetTask "{\"id\":$id}"
seen "polkit lets through whom its rules name, to everything"

# ---- Reload ----

printf '[daemon]\nadministrator_group = staff\n[queue]\nmax_pending = 77\n' >/etc/elluminate/elluminated.conf
systemctl reload elluminated
eventually sh -c 'elluminate --system api GetStatus | grep -q "\"max_pending\": *77"'
seen "reload"

# ---- Stop and kill: tasks go on ----

id=$(submit alice 40 0.3)
eventually as alice sh -c "elluminate --system task show $id | grep -q STARTED"
systemctl stop elluminated.service
is Result success || fail "the stop ended with $(property Result)"
eventually as alice sh -c "elluminate --system task show $id | grep -q SUCCESS"
seen "stop within the grace period; the task went on at the next start"

id=$(submit alice 40 0.3)
eventually as alice sh -c "elluminate --system task show $id | grep -q STARTED"
before=$(property MainPID)
socket=$(stat -c %i /run/elluminate/socket)
kill -KILL "$before"
eventually sh -c "[ \"\$(systemctl show elluminated -P MainPID)\" != $before ] && systemctl is-active --quiet elluminated"
eventually as alice sh -c "elluminate --system task show $id | grep -q SUCCESS"
holds SUCCESS as alice elluminate --system task show 1
systemctl is-active --quiet elluminated.socket || fail "the socket's unit went with the daemon"
[ "$(stat -c %i /run/elluminate/socket)" = "$socket" ] || fail "the socket is another one"
seen "kill -9: restarted on the same socket, the task went on, state kept"

# ---- Keys by credentials ----

# run_with_key NAME: the status that an experiment ends with, whose key that credential is and whose
# endpoint is not there.
run_with_key()
{
	elluminate --system api RunExperiment "{\"name\": \"K$1\", \"response_column\": null,
		\"prompt_template\": {\"content\": {\"name\": \"T\", \"messages\": [{\"role\": \"user\", \"content\": \"Say {{n}}\"}]}},
		\"collection\": {\"content\": {\"name\": \"K\", \"variables\": [{\"n\": \"1\"}]}},
		\"llm_config\": {\"content\": {\"name\": \"keyed $1\", \"provider\": \"openai\", \"llm_model_name\": \"m\",
			\"llm_base_url\": \"http://127.0.0.1:9/v1\", \"max_retries\": 0, \"api_key_ref\": \"credential:$1\"}}}"
}

printf 'a-key' >/etc/elluminate/credentials/test
systemctl restart elluminated
holds FAILURE run_with_key elluminate_test
holds REJECTED run_with_key elluminate_none
seen "a key from a credential of the unit"

# ---- The journal ----

journalctl --sync
holds "task $id" journalctl --no-pager -u elluminated "ELLUMINATE_TASK=$id"
journalctl --no-pager -o cat -u elluminated "ELLUMINATE_TASK=$id" | grep -v "task $id" |
	grep -q . && fail "another task's lines under ELLUMINATE_TASK=$id"
journalctl --update-catalog
holds 'The daemon ended without being asked to' journalctl --no-pager -x -u elluminated
holds "has ended" journalctl --no-pager -x -u elluminated "ELLUMINATE_TASK=$id"
seen "the journal by task, and its catalog"

# ---- Watchdog ----

printf '[Service]\nExecStart=\nExecStart=/usr/bin/elluminated-blocking --system\nWatchdogSec=2\n' \
	>/run/systemd/system/elluminated.service.d/blocking.conf
systemctl daemon-reload
systemctl restart elluminated
before=$(property MainPID)
elluminate --system api org.elluminate.fault.Block >/dev/null
eventually sh -c "[ \"\$(systemctl show elluminated -P NRestarts)\" -ge 1 ] && systemctl is-active --quiet elluminated"
[ "$(property MainPID)" != "$before" ] || fail "the watchdog did not restart the daemon"
holds watchdog journalctl --no-pager -u elluminated -n 50
holds SUCCESS as alice elluminate --system task show 1
seen "a blocked thread: restarted by the watchdog"
