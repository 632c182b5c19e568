#!/bin/sh
# circles.sh NM SOURCE-FOLDER BUILD-FOLDER: no two files of the product need each other, not even by
# way of others, and no two folders. Read from the objects, so that a table of functions counts as the calls that go by it.
set -eu
nm=$1
source=$2
cd "$3"

# circles: of lines `FILE NAME KIND`, as nm knows KIND, what each file of a circle needs of which
# other.
circles()
{
	awk '
	function program(file) { return substr(file, 1, index(file, "/")) }
	# reach(BACK): marks what is to be had from the files marked so, along the arrows or against them.
	function reach(back, found,   more, arrow) {
		do {
			more = 0
			for (arrow in needs) {
				split(arrow, ends, SUBSEP)
				if (ends[1 + back] in found && !(ends[2 - back] in found)) {
					found[ends[2 - back]]
					more = 1
				}
			}
		} while (more)
	}
	# A compiler and its sanitizers have names of their own.
	$2 ~ /^__/ || $2 == "main" { next }
	$3 ~ /^[Uwv]$/ { wanted[$1, $2]; next }
	{ home[program($1), $2] = $1 }
	END {
		for (want in wanted) {
			split(want, ends, SUBSEP)
			# Two programs may have files that use one name, each for itself.
			of = home[program(ends[1]), ends[2]]
			if (!of)
				of = home["proto/", ends[2]]
			if (of && of != ends[1])
				needs[ends[1], of] = needs[ends[1], of] " " ends[2]
		}
		# What nothing left needs, or needs nothing left, is in no circle.
		do {
			split("", needing)
			split("", needed)
			for (arrow in needs) {
				split(arrow, ends, SUBSEP)
				needing[ends[1]]
				needed[ends[2]]
			}
			gone = 0
			for (arrow in needs) {
				split(arrow, ends, SUBSEP)
				if (!(ends[1] in needed) || !(ends[2] in needing)) {
					delete needs[arrow]
					gone = 1
				}
			}
		} while (gone)
		for (file in needing) {
			if (file in seen)
				continue
			split("", after)
			split("", before)
			split("", circle)
			after[file]
			before[file]
			reach(0, after)
			reach(1, before)
			for (other in after)
				if (other in before)
					circle[other]
			for (other in circle)
				seen[other]
			for (arrow in needs) {
				split(arrow, ends, SUBSEP)
				if (ends[1] in circle && ends[2] in circle)
					print ends[1] " -> " ends[2] " (" substr(needs[arrow], 2) ")"
			}
		}
	}' | sort
}

# expect CIRCLES: of the lines that come in.
expect()
{
	found=$(circles)
	[ "$found" = "$1" ] || {
		printf 'expected "%s", found "%s"\n' "$1" "$found" >&2
		exit 1
	}
}

lines="daemon/top.c one U
daemon/a.c one T
daemon/a.c two U
daemon/b.c two D
daemon/b.c three U
daemon/c.c three T
client/x.c two T
client/x.c three U
client/y.c three T
proto/z.c four T
daemon/c.c four U"
printf '%s\n' "$lines" | expect ""
printf '%s\n' "$lines" "daemon/c.c one U" | expect "daemon/a.c -> daemon/b.c (two)
daemon/b.c -> daemon/c.c (three)
daemon/c.c -> daemon/a.c (one)"

# Objects of files that are no more may still lie about.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
find daemon client proto -name '*.c.o' | sed 's,^\(.*\)/CMakeFiles/[^/]*\.dir/\(.*\)\.o$,& \1/\2,' |
	while read -r object file; do
		if [ -e "$source/$file" ] || [ -e "$file" ]; then
			echo "$object"
		fi
	done >"$scratch/objects"
[ "$(wc -l <"$scratch/objects")" -gt 300 ] || {
	echo "too few objects: is all of it built?" >&2
	exit 1
}
xargs "$nm" -gPA <"$scratch/objects" | sed 's,/CMakeFiles/[^/]*\.dir/,/,; s,\.o: , ,' >"$scratch/symbols"
found=$(circles <"$scratch/symbols"
	sed 's,/[^/ ]* ,/. ,' "$scratch/symbols" | circles)
[ -z "$found" ] || {
	echo "Circles of files that need each other, or of folders:" >&2
	echo "$found" >&2
	exit 1
}
