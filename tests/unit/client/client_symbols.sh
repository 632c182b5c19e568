#!/bin/sh
# client_symbols.sh LIBRARY PAGES HEADER...: the library exports exactly the functions that the
# headers declare, each in its release's node, and no more than were meant for ever: methods are
# made of them. The headers compile as the first and the last C and C++ that they are for, the adapters'
# too where their loops are; each function, and no other, has a man page in the folder PAGES.
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
sed -n 's/@@ELLUMINATE_[0-9.]*$//p' "$scratch/exported" >"$scratch/names"
[ "$(wc -l <"$scratch/exported")" = "$(wc -l <"$scratch/names")" ] ||
	fail "symbols outside the node: $(grep -v '@@ELLUMINATE_[0-9.]*$' "$scratch/exported")"
n=$(wc -l <"$scratch/names")
{ [ "$n" -gt 50 ] && [ "$n" -le 80 ]; } || fail "$n symbols"
diff "$scratch/declared" "$scratch/names" || fail "declared (<) and exported (>) differ"
readelf -d "$library" | grep -q 'SONAME.*libelluminate\.so\.0\]' || fail "wrong soname"

cat >"$scratch/header.h" <<'EOT'
/* The first. */
ELLU_API int ellu_one(void);

/* Another. Since 0.10. */
ELLU_API int ellu_three(void);
ELLU_API int ellu_four(void);

/* Since 0.2. */
ELLU_API const char *ellu_two(int,
			      int);
EOT
awk -v out="$scratch/map" -f "$(dirname "$1")/map.awk" "$scratch/header.h"
[ "$(tr -d ' \n\t' <"$scratch/map")" = "ELLUMINATE_0.1{global:ellu_one;local:*;};ELLUMINATE_0.2{global:ellu_two;}ELLUMINATE_0.1;ELLUMINATE_0.10{global:ellu_three;ellu_four;}ELLUMINATE_0.2;" ] ||
	fail "a map: $(cat "$scratch/map")"

includes=$(for header; do dirname "$header"; done | sort -u | sed 's/^/-I/')
# shellcheck disable=SC2086
for standard in c99 c2x; do
	cc -std=$standard -Wall -Wextra -pedantic -Wstrict-prototypes -Wundef -Werror $includes \
		-fsyntax-only -x c "$(dirname "$0")/client_header.cc"
done
if command -v c++ >/dev/null; then
	for standard in c++98 c++20; do
		# shellcheck disable=SC2086
		c++ -std=$standard -Wall -Wextra -pedantic -Wno-long-long -Werror $includes \
			-fsyntax-only "$(dirname "$0")/client_header.cc"
	done
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

# Each is in the synopsis of its page.
awk 'FNR == 1 { name = FILENAME; sub(/.*\//, "", name); sub(/\.3$/, "", name); page = name ".3" }
	FNR == 1 && /^\.so man3\// { page = substr($2, 6) }
	FNR == 1 && name ~ /^ellu_/ { want[page] = want[page] " " name }
	/^\\fB/ { said[name ".3"] = said[name ".3"] $0 }
	END {
		for (page in want)
			for (n = split(want[page], names, " "); n > 0; n--)
				print names[n], page, (index(said[page], names[n] "(") > 0)
	}' "$pages"/*.3 | sort >"$scratch/pages"
! grep ' 0$' "$scratch/pages" || fail "not in their pages"
cut -d ' ' -f 1 "$scratch/pages" | grep -v -e '_fn$' -e '_attach$' >"$scratch/described"
cat "$@" | tr '\n' ' ' | grep -o 'static inline [^{]*' | grep -o 'ellu_[a-z_]*(' | tr -d '(' |
	grep -v '_deliver_$' | sort -u - "$scratch/declared" >"$scratch/functions"
diff "$scratch/functions" "$scratch/described" || fail "declared (<) and in man pages (>) differ"
if command -v groff >/dev/null; then
	# shellcheck disable=SC2046
	groff -k -man -ww -z -Tutf8 $(grep -L '^\.so ' "$pages"/*) "$pages/../../proto/generated/elluminate-experiment.5" \
		2>"$scratch/said"
	[ ! -s "$scratch/said" ] || fail "$(head "$scratch/said")"
fi
