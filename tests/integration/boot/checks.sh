#!/bin/sh
# What must hold on a booted system: run inside it by boot.sh. Says each thing that it has seen;
# ends with 1 at the first that is not so. Usage: checks.sh running|again: on the system where the
# README was just followed, or after it was booted again.
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

# eventually COMMAND...: succeeds within a minute. Asked again and again: systemctl can wait for a
# job, not for what a unit's properties, or the journal, come to say.
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

was_restarted()
{
	[ "$(property NRestarts)" -ge 1 ]
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

systemctl is-system-running --wait >/dev/null || fail "the system is $(systemctl is-system-running)"

# ---- After a reboot ----

if [ "$1" = again ]; then
	eventually is ActiveState active
	id=$(cat /var/lib/elluminate-check)
	# Nobody calls: the status line says that nothing runs any more.
	eventually sh -c 'systemctl show elluminated -P StatusText | grep -q "0 running, 0 waiting"'
	holds SUCCESS elluminate --system task show "$id"
	seen "after a reboot the task went on by itself"
	exit 0
fi

# ---- As the README leaves it ----

is ActiveState active || fail "the service does not run"
systemctl is-active --quiet elluminated.socket || fail "the socket does not listen"
holds uptime as alice elluminate --system api GetStatus
is User elluminate || fail "the service runs as another user"
for setting in MemoryMax TasksMax; do
	[ "$(property $setting)" != infinity ] || fail "$setting is not set"
done
# What a thread asks of the system is not filtered away.
for task in /proc/"$(property MainPID)"/task/*; do
	[ "$(cat "$task/comm")" != decoder ] || nice=$(cut -d ' ' -f 19 "$task/stat")
done
[ "${nice-0}" -gt 0 ] || fail "the thread that reads large messages is not nice: ${nice-}"
seen "the README's commands on a running system"

# ---- Activation, READY, STATUS ----

systemctl stop elluminated.service
holds uptime as alice elluminate --system api GetStatus
is ActiveState active || fail "a call on the socket did not start the service"
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

# ---- Without tmpfiles ----

# The folder of credentials is not there, as before systemd-tmpfiles has run.
systemctl stop elluminated.socket elluminated.service
rmdir /etc/elluminate/credentials
systemctl start elluminated.service || fail "the service needs a folder of credentials"
is_folder()
{
	[ "$(stat -c '%a %U' "$1")" = "$2" ] || fail "$1 is $(stat -c '%a %U' "$1"), not $2"
}
is_folder /etc/elluminate/credentials '700 root'
is_folder /run/elluminate '755 elluminate'
seen "a start without the folders that tmpfiles makes"

# ---- A mistake in the configuration ----

printf '[queue]\n\nmax_pendng = 77\n' >/etc/elluminate/elluminated.conf
mistake='/etc/elluminate/elluminated.conf:3: [queue] max_pendng: no such key'
systemctl reload elluminated 2>/dev/null && fail "a mistake does not fail the reload"
is ActiveState active || fail "a refused reload ends the service"
journalctl --sync
holds "$mistake" journalctl --no-pager -o cat -u elluminated -p err -n 5
holds 'The configuration was not taken over' journalctl --no-pager -x -u elluminated -p err -n 5
seen "a refused reload fails, and says file, line and key"
for _ in 1 2 3 4 5 6 7; do
	systemctl restart elluminated 2>/dev/null && fail "the daemon starts with a mistake"
done
as bob elluminate --system api GetStatus >/tmp/answer 2>&1 &
client=$!
eventually was_restarted
systemctl is-active --quiet elluminated.socket || fail "the socket went with the service"
holds "$mistake" journalctl --no-pager -o cat -u elluminated -p err -n 5
kill -0 $client 2>/dev/null || fail "the client did not wait: $(cat /tmp/answer)"
rm /etc/elluminate/elluminated.conf
wait $client || fail "the client was not served: $(cat /tmp/answer)"
seen "seven failed starts: the socket stays, the client is served once it is mended"

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

mkdir -p /run/systemd/system/elluminated.service.d
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

# ---- A task for the next boot ----

rm /run/systemd/system/elluminated.service.d/blocking.conf
systemctl daemon-reload
systemctl restart elluminated
id=$(submit alice 40 0.3)
eventually as alice sh -c "elluminate --system task show $id | grep -q STARTED"
echo "$id" >/var/lib/elluminate-check
