#!/bin/sh
# The daemon's man pages say what the program has: every option, key, method and property, and no
# others. Usage: man_pages.sh SOURCE-FOLDER DAEMON
set -eu
source=$1
daemon=$2
man=$source/daemon/man
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# same WHAT FILE FILE
same()
{
	diff "$2" "$3" >&2 || {
		echo "man_pages: $1 differ" >&2
		exit 1
	}
}

"$daemon" --help | grep -o '^  --[a-z-]*' | tr -d ' ' | sort >"$folder/options"
sed 's/\\-/-/g' "$man/elluminated.8" | sed -n '/^\.SH OPTIONS/,/^\.SH THE/p' |
	grep '^\.BI\{0,1\} --' | grep -o -- '--[a-z-]*' | sort >"$folder/documented"
same "the options of elluminated(8)" "$folder/options" "$folder/documented"

sed -n 's/^	\(KEY\|WORD\|GROUP\|TEXT\|SERVER\|SERVER_TEXT\)("\([a-z]*\)", \([a-z_]*\).*/\2 \3/p' "$source/daemon/config.c" |
	sort >"$folder/keys"
awk '/^\.SH \[/ { section = $2; gsub(/[][]/, "", section) } /^\.SH EXAMPLE/ { section = "" }
	/^\.TP/ { getline; if (section != "") print section, $2 }' "$man/elluminated.conf.5" |
	sort >"$folder/documented"
same "the keys of elluminated.conf(5)" "$folder/keys" "$folder/documented"

# section name low high: of each number its range stands in the key's paragraph
sed -n 's/^	\(KEY\|SERVER\)("\([a-z]*\)", \([a-z_]*\), \([0-9 *]*\), \([0-9 *]*\), .*/\2 \3 \4,\5/p' "$source/daemon/config.c" |
	while read -r section name range; do
		range="$((${range%,*})) to $((${range#*,}))"
		awk -v section="[$section]" -v name="$name" '/^\.SH/ { in_section = $2 == section }
			/^\.(TP|SH|PP)/ { in_key = 0 } /^\.B / && in_section { in_key = $2 == name } in_key' \
			"$man/elluminated.conf.5" | tr '\n' ' ' | grep -q "[^0-9]${range}[^0-9]" || {
			echo "man_pages: elluminated.conf(5) lacks \"$range\" of [$section] $name" >&2
			exit 1
		}
	done

page=$man/org.elluminate.Elluminate1.5
for member in $(sed -n 's/^	{ AT_[A-Z]*, BUS_[A-Z]*, "\([A-Za-z]*\)".*/\1/p' "$source/daemon/front/bus/bus_tree.c") \
	$(sed -n 's/^	PROPERTY("\([A-Za-z]*\)".*/\1/p' "$source/daemon/front/bus/bus_property.c"); do
	grep -q "$member" "$page" || {
		echo "man_pages: org.elluminate.Elluminate1(5) lacks $member" >&2
		exit 1
	}
done
