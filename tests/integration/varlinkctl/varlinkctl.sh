#!/bin/sh
# varlinkctl of systemd 257 against a daemon of this build: it reads the interfaces as they are
# printed and as they are served, lists methods, and calls. It comes from Debian 13's packages,
# unpacked into a folder of the test's own and run by the loader that is there.
# Usage: varlinkctl.sh ELLUMINATED PRINT_INTERFACES
set -eu
daemon=$1
print_interfaces=$2
[ "${ELLU_TEST_ALL-}" = 1 ] || exit 77

folder=$(mktemp -d)
pid=
clean_up()
{
	[ -z "$pid" ] || kill "$pid" 2>/dev/null || true
	[ -z "$pid" ] || wait "$pid" || true
	rm -rf "$folder"
}
trap clean_up EXIT

fail()
{
	echo "varlinkctl_test: $*" >&2
	exit 1
}

[ "$(id -u)" = 0 ] || fail "root is needed to fill the tree"
tree=$folder/tree
mmdebstrap --variant=extract --include=systemd trixie "$tree" >"$folder/log" 2>&1 ||
	fail "the tree cannot be filled: $(tail -n 20 "$folder/log")"

varlinkctl()
{
	"$(echo "$tree"/usr/lib*/ld-linux-*.so.*)" \
		--library-path "$(echo "$tree"/usr/lib/*-linux-gnu):$(echo "$tree"/usr/lib/*-linux-gnu/systemd)" \
		"$tree/usr/bin/varlinkctl" --no-pager "$@"
}

# holds TEXT ARGUMENT...: varlinkctl succeeds, and its output has the text.
holds()
{
	text=$1
	shift
	output=$(varlinkctl "$@" 2>&1) || fail "'varlinkctl $*' fails: $output"
	case $output in
	*"$text"*) ;;
	*) fail "'varlinkctl $*' says '$output', expected '$text'" ;;
	esac
	echo "seen: varlinkctl $1: $text"
}

mkdir -m 0700 "$folder/state"
mkdir "$folder/texts"
mkfifo "$folder/ready"
"$daemon" --state-dir "$folder/state" --socket "$folder/socket" --no-bus --ready-fd 3 \
	3>"$folder/ready" 2>"$folder/daemon.log" &
pid=$!
read -r said <"$folder/ready" || fail "$(cat "$folder/daemon.log")"
[ "$said" = READY ] || fail "$(cat "$folder/daemon.log")"

"$print_interfaces" "$folder/texts"
for text in "$folder"/texts/*.varlink; do
	holds '' validate-idl "$text"
done
at=unix:$folder/socket
holds org.elluminate info "$at"
holds org.elluminate list-interfaces "$at"
holds org.elluminate.RunExperiment list-methods "$at"
holds 'method RunExperiment' introspect "$at" org.elluminate
holds 'method GetInfo' introspect "$at" org.varlink.service
holds uptime call "$at" org.elluminate.GetStatus '{}'
holds '"items"' call --more "$at" org.elluminate.ListTasks '{}'
