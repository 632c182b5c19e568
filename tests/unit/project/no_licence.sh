#!/bin/sh
# no_licence.sh SOURCE-FOLDER [FOLDER...]: no licence has been chosen for the project, so no file of
# it, and none that the build makes of it in the folders given, claims one.
set -eu
cd "$1"
shift

claims=$(find . "$@" \( -name .git -o -path './build*' \) -prune -o -type f \
	! -path "./tests/unit/project/${0##*/}" -exec grep -IliE \
	'SPDX-|copyright|(project|metadata)_license|^[ #*]*licen[cs]e:|licen[cs]ed under|X-Licen[cs]e' {} + || :
	find . -name .git -prune -o -path './build*' -prune -o -type f \
		\( -iname 'licen[cs]e*' -o -iname 'copying*' \) -print)
[ -z "$claims" ] || {
	echo "These claim a licence:" >&2
	echo "$claims" >&2
	exit 1
}
