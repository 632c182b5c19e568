#!/bin/sh
# client_symbols.sh LIBRARY PAGES HEADER...: the library exports exactly the functions that the
# headers declare, all in the version script's node; the headers compile as C89 and C++98, the
# adapters' too where their loops are; each function, and no other, has a man page in the folder
# PAGES.
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
	c++ -std=c++98 -Wall -Wextra -Werror $includes \
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

for link in "$pages"/ellu_*.3; do
	name=$(basename "$link" .3)
	page=$(sed -n 's/^\.so man3//p' "$link")
	grep -q "^\\\\fB.*[ *]$name(" "$pages$page" || fail "$name is not in the page $page"
	echo "$name"
done | grep -v -e '_fn$' -e '_attach$' | sort >"$scratch/described"
diff "$scratch/declared" "$scratch/described" || fail "declared (<) and in man pages (>) differ"
if command -v groff >/dev/null; then
	for page in "$pages"/*elluminate*.3; do
		groff -k -man -ww -z -Tutf8 "$page" 2>"$scratch/said"
		[ ! -s "$scratch/said" ] || fail "$(cat "$scratch/said")"
	done
fi
