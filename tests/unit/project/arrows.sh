#!/bin/sh
# arrows.sh SOURCE-FOLDER: what each room may include of the daemon, besides itself. The arrows of
# the README point one way, and so do those between the store's and the library's own folders.
set -eu
cd "$1"

wrong=
whole=daemon
# may ROOM ALLOWED...: of the whole, files below ROOM include from ALLOWED and from ROOM alone.
may() {
	room=$1
	shift
	allowed=$(printf '|%s' "$room" "$@")
	found=$(grep -rnHE "#include \"$whole/" "$room" | grep -vE "#include \"(${allowed#|})" || :)
	wrong="$wrong${found:+$found
}"
}

may proto
may client
may daemon/base
may daemon/backend daemon/base
may daemon/backend/wire daemon/base
may daemon/backend/dialect daemon/base daemon/backend/call.h daemon/backend/limits daemon/backend/wire
may daemon/backend/limits daemon/base
below='daemon/base daemon/backend/[a-z_]+\.h daemon/backend/dialect daemon/backend/limits daemon/backend/wire'
for part in callers connection admission job; do
	# shellcheck disable=SC2086 # several
	may "daemon/backend/$part" $below
	below="$below daemon/backend/$part"
done
# shellcheck disable=SC2086 # several
may daemon/backend/batch ${below% *}
# one_way FOLDER: by their includes its files form no circle, a .c and its header being one.
one_way() {
	found=$(grep -rHoE "#include \"$1/[^\"]+" "$1" | sed -E 's/\.[ch]:#include "/ /; s/\.h$//' |
		tsort 2>&1 >/dev/null | sed "1s|^.*$|a circle of includes:|" || :)
	wrong="$wrong${found:+$found
}"
}
may daemon/store daemon/base
may daemon/store/engine daemon/base
below="daemon/base daemon/store/[a-z_]+\.h daemon/store/engine"
for family in resources runs tasks submit; do
	# shellcheck disable=SC2086 # several
	may "daemon/store/$family" $below
	below="$below daemon/store/$family"
done
# rooms FOLDER ALLOWED...: of the files right in it and its ROOMS, in this order, each includes from
# those before it.
rooms() {
	folder=$1
	shift
	for file in "$folder"/*.[ch]; do
		may "$file" "$@" "$folder/[a-z_]+\.h"
	done
	allowed_below="$* $folder/[a-z_]+\.h"
	for room_below in $ROOMS; do
		# shellcheck disable=SC2086 # several
		may "$folder/$room_below" $allowed_below
		allowed_below="$allowed_below $folder/$room_below"
	done
}

ROOMS="collections configs projects prompts evaluators"
rooms daemon/store/resources daemon/base 'daemon/store/[a-z_]+\.h' daemon/store/engine
ROOMS="statistics responses results compare recording"
rooms daemon/store/runs daemon/base 'daemon/store/[a-z_]+\.h' daemon/store/engine daemon/store/resources
ROOMS="conversation run judging kinds experiment pool"
rooms daemon/work daemon/base daemon/backend daemon/store/
ROOMS="bus http openai sdk"
rooms daemon/front daemon/base daemon/store/ daemon/queue daemon/api
may daemon/queue daemon/base daemon/store/ daemon/work
may daemon/api daemon/base daemon/backend daemon/store/ daemon/work daemon/queue
for part in base backend store work queue front; do
	one_way daemon/$part
done
whole=client
may client/transport client/elluminate.h
may client/operations client/elluminate.h client/transport
may client/cli/view client/elluminate.h client/cli/arguments.h client/cli/exit_status.h
may client/cli/files client/elluminate.h client/cli/view
ROOMS="report tasks transfer commands"
rooms client/cli client/elluminate.h client/cli/view client/cli/files
may client/examples
one_way client
whole=proto
one_way proto
below='proto/[a-z_]+\.h proto/generated'
for part in text fault json record content wire; do
	# shellcheck disable=SC2086 # several
	may "proto/$part" $below
	below="$below proto/$part"
done
[ -z "$wrong" ] || {
	echo "These point the wrong way:" >&2
	printf %s "$wrong" >&2
	exit 1
}
