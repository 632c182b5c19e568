#!/bin/sh
# busctl, gdbus, a GIO proxy and dbus-python each submit an experiment, watch it to its end, and
# cancel another, on a session bus of their own. Usage: dbus-run-session -- sh clients.sh DAEMON
set -eu
daemon=$1
here=$(dirname "$0")
[ "${ELLU_TEST_ALL-}" = 1 ] || exit 77

name=org.elluminate.Elluminate1
path=/org/elluminate/Elluminate1
folder=$(mktemp -d)
mkfifo "$folder/ready" "$folder/watched"
"$daemon" --state-dir "$folder/state" --socket "$folder/socket" --ready-fd 3 \
	3>"$folder/ready" 2>"$folder/log" &
server=$!
watcher=
trap 'kill $server $watcher 2>/dev/null; wait; rm -rf "$folder"' EXIT

fail()
{
	echo "bus_clients_test: $*" >&2
	cat "$folder/log" >&2
	exit 1
}

# request NAME SECONDS: an experiment whose calls take that long.
request()
{
	printf '%s' "{\"name\": \"$1\", \"prompt_template\": {\"content\": {\"name\": \"T\", \"messages\": [{\"role\": \"user\", \"content\": \"Say {{n}}\"}]}}, \"collection\": {\"content\": {\"name\": \"C\", \"variables\": [{\"n\": \"1\"}, {\"n\": \"2\"}]}}, \"llm_config\": {\"content\": {\"name\": \"takes $2\", \"provider\": \"simulated\", \"custom\": {\"latency_seconds\": $2}}}}"
}

# watch COMMAND...: it says that it watches before anything is submitted.
watch()
{
	stdbuf -oL "$@" >"$folder/watched" 2>&1 &
	watcher=$!
	exec 4<"$folder/watched"
	read -r _ <&4 || fail "$* says nothing"
}

unwatch()
{
	kill $watcher
	wait $watcher 2>/dev/null || true
	watcher=
	exec 4<&-
}

# said STATUS: waits for a StatusChanged that has it, in its line or in those that belong to it.
said()
{
	belongs=0
	while read -r line <&4; do
		case $line in
		*StatusChanged*) belongs=16 ;;
		esac
		case $line in
		*"$1"*) [ $belongs = 0 ] || return 0 ;;
		esac
		[ $belongs = 0 ] || belongs=$((belongs - 1))
	done
	fail "the watcher ended without $1"
}

read -r word <"$folder/ready" || fail "the daemon does not come up"
[ "$word" = READY ] || fail "the daemon is not ready: $word"

# ---- busctl ----

busctl --user introspect $name $path | grep -q RunExperiment || fail "busctl introspect"
watch busctl --user monitor $name
busctl --user call $name $path $name.Manager RunExperiment 'sa{sv}' "$(request busctl 0)" 0 >/dev/null
said SUCCESS
task=$(busctl --user call $name $path $name.Manager RunExperiment 'sa{sv}' "$(request busctl2 3600)" 0 |
	sed 's/^o "\(.*\)"$/\1/')
busctl --user call $name $path $name.Manager CancelTask o "$task"
said REVOKED
busctl --user get-property $name "$task" $name.Task Status | grep -q REVOKED || fail "busctl get-property"
unwatch

# ---- gdbus ----

gdbus introspect --session --dest $name --object-path $path | grep -q RunExperiment || fail "gdbus introspect"
watch gdbus monitor --session --dest $name
gdbus call --session --dest $name --object-path $path --method $name.Manager.RunExperiment "$(request gdbus 0)" '{}' >/dev/null
said SUCCESS
task=$(gdbus call --session --dest $name --object-path $path --method $name.Manager.RunExperiment "$(request gdbus2 3600)" "{'priority': <'interactive'>}" |
	sed "s/.*'\(.*\)'.*/\1/")
gdbus call --session --dest $name --object-path $path --method $name.Manager.CancelTask "$task" >/dev/null
said REVOKED
unwatch

# ---- Python ----

for client in gio dbus_python; do
	/usr/bin/python3 "$here/$client.py" "$(request $client 0)" "$(request ${client}2 3600)" ||
		fail "$client"
done
