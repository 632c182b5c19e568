#!/bin/sh
# SPDX-License-Identifier: MIT
# client_symbols.sh LIBRARY PAGES HEADER...: the library exports exactly the functions that the
# headers declare, all in the version script's node; the headers compile as C89 and C++98, the
# adapters' too where their loops are; and each function stands in a man page of the folder PAGES,
# where there is one. For the forms of a method the first will do.
set -eu
library=$1
pages=$2
shift 2

fail()
{
	echo "$*" >&2
	exit 1
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cat "$@" | tr '\n' ' ' | grep -o 'ELLU_API [^;]*' | grep -o 'ellu_[a-z_]*(' | tr -d '(' |
	grep -v '_fn$' | sort -u >"$scratch/declared"
nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | sort -u >"$scratch/exported"
sed -n 's/@@ELLUMINATE_0$//p' "$scratch/exported" >"$scratch/names"
[ "$(wc -l <"$scratch/exported")" = "$(wc -l <"$scratch/names")" ] ||
	fail "symbols outside the node: $(grep -v '@@ELLUMINATE_0$' "$scratch/exported")"
[ "$(wc -l <"$scratch/names")" -gt 50 ] || fail "too few symbols"
diff "$scratch/declared" "$scratch/names" || fail "declared (<) and exported (>) differ"
readelf -d "$library" | grep -q 'SONAME.*libelluminate\.so\.0\]' || fail "wrong soname"

includes=$(for header; do dirname "$header"; done | sort -u | sed 's/^/-I/')
echo '#include <elluminate.h>' >"$scratch/header.c"
# shellcheck disable=SC2086
cc -std=c89 -Wall -Wextra -Wstrict-prototypes -Wundef -Werror -Wno-long-long $includes \
	-fsyntax-only "$scratch/header.c"
if command -v c++ >/dev/null; then
	# shellcheck disable=SC2086
	c++ -std=c++98 -Wall -Wextra -Wno-missing-field-initializers -Werror $includes \
		-fsyntax-only "$(dirname "$0")/client_header.cc"
	for adapter in libevent:libevent sd-event:libsystemd glib:glib-2.0; do
		pkg-config --exists "${adapter#*:}" || continue
		echo "#include <elluminate-${adapter%:*}.h>" >"$scratch/adapter.cc"
		# shellcheck disable=SC2086,SC2046
		c++ -Wall -Wextra -Werror $includes $(pkg-config --cflags "${adapter#*:}") \
			-fsyntax-only "$scratch/adapter.cc"
	done
else
	echo "no C++ compiler: only checked as C"
fi

if [ -d "$pages" ]; then
	sed -E 's/\\f([A-Z]|\([A-Z]+|\[[A-Z]*\])/ /g' "$pages"/*.3 >"$scratch/pages"
	while read -r function; do
		method=$(echo "$function" | sed -E 's/_(async|stream|next|next_item|stream_async)$//')
		grep -qx "$method" "$scratch/declared" || method=$function
		grep -qw -e "$function" -e "$method" "$scratch/pages" || echo "$function"
	done <"$scratch/names" >"$scratch/undescribed"
	[ ! -s "$scratch/undescribed" ] ||
		fail "in no man page: $(tr '\n' ' ' <"$scratch/undescribed")"
fi
