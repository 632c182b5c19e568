#!/bin/sh
# A program that runs with other rights than its caller's does not let the environment choose the
# daemon. $1: a program that prints where the library looks.
set -eu
[ "$(id -u)" = 0 ] || exit 77
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp "$1" "$folder/where"
chmod 755 "$folder" "$folder/where"
export ELLUMINATE_SOCKET=/of/the/caller
[ "$("$folder/where")" = /of/the/caller ]
chown nobody "$folder/where"
chmod u+s "$folder/where"
got=$("$folder/where") || exit 1
[ "$got" = nowhere ] || {
	echo "a set-user-ID program looks at: $got" >&2
	exit 1
}
