#!/bin/sh
# A daemon that the command started outside of any session, or that an ended session left behind,
# does not stand in the way of the next session: neither of its bus's activation nor of the command.
# Usage: activation.sh DAEMON COMMAND SERVICE-TEMPLATE
set -eu
daemon=$1
command=$2
template=$3
[ "${ELLU_TEST_ALL-}" = 1 ] || exit 77

name=org.elluminate.Elluminate1
folder=$(mktemp -d)
bus=
unset DBUS_SESSION_BUS_ADDRESS DBUS_STARTER_ADDRESS NOTIFY_SOCKET
PATH="$(dirname "$daemon"):$PATH"
export HOME="$folder/home" XDG_RUNTIME_DIR="$folder/run" PATH
unset XDG_STATE_HOME XDG_CONFIG_HOME
lock=$HOME/.local/state/elluminate/lock

holder()
{
	head -n 1 "$lock"
}

clean_up()
{
	[ ! -s "$lock" ] || kill "$(holder)" 2>/dev/null || true
	[ -z "$bus" ] || kill "$bus" 2>/dev/null || true
	rm -rf "$folder"
}
trap clean_up EXIT

fail()
{
	echo "activation_test: $*" >&2
	cat "$HOME/.local/state/elluminate/log" >&2 || true
	exit 1
}

# seen_by_command: the command is answered by a daemon that is the user's one.
seen_by_command()
{
	"$command" api GetStatus 2>&1 | grep -q uptime || fail "the command: $("$command" api GetStatus 2>&1)"
}

mkdir -p "$HOME" "$folder/services"
mkdir -m 0700 "$XDG_RUNTIME_DIR"
sed "s,@ELLUMINATED@,$daemon,; /^SystemdService/d" "$template" >"$folder/services/$name.service"
cat >"$folder/bus.conf" <<CONFIG
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=$folder/bus</listen><auth>EXTERNAL</auth>
<servicedir>$folder/services</servicedir>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
<allow own="*"/></policy></busconfig>
CONFIG

# ---- Started by the command, without a bus ----

seen_by_command
first=$(holder)

# ---- A session's bus, at an address that the daemon cannot know ----

bus=$(dbus-daemon --config-file="$folder/bus.conf" --fork --print-pid=1)
export DBUS_SESSION_BUS_ADDRESS="unix:path=$folder/bus"
answer=$(busctl --user --json=short call $name /org/elluminate/Elluminate1 $name.Manager Call ss GetStatus '{}' 2>&1) ||
	fail "the bus's activation: $answer"
second=$(holder)
[ "$first" != "$second" ] || fail "the first daemon still holds the state folder"
seen_by_command
[ "$(holder)" = "$second" ] || fail "the command does not see the bus's daemon"

# ---- The session ends: its bus and its folder go, the daemon stays ----

kill "$second"
tail --pid="$second" -f /dev/null
unset DBUS_SESSION_BUS_ADDRESS
seen_by_command
third=$(holder)
rm -rf "$XDG_RUNTIME_DIR"
mkdir -m 0700 "$XDG_RUNTIME_DIR"
seen_by_command
[ "$(holder)" != "$third" ] || fail "nobody can reach the daemon that was left behind"
