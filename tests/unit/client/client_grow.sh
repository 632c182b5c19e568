#!/bin/sh
# client_grow.sh FILE...: copies interface files into the present folder, where every record that
# stands on lines of its own, and each reply (task: Task), has more members, `grown`, and, where the
# record stands so, `grown_n`, a number that is plain in C.
set -eu
for file; do
	awk '
	function append_comma(line) {
		if (match(line, /[ \t]*#/))
			return substr(line, 1, RSTART - 1) "," substr(line, RSTART)
		return line ","
	}
	{ gsub(/-> \(task: Task\)/, "-> (task: Task, grown: ?string)") }
	/^\)/ && previous !~ /\($/ {
		print append_comma(previous)
		print "  grown: ?string,"
		previous = "  grown_n: ?int # range: 1..9; default: 5"
	}
	NR > 1 { print previous }
	{ previous = $0 }
	END { print previous }' "$file" >"$(basename "$file")"
done
