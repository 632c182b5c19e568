# Makes the linker's version script out of elluminate.h: a node for each release, with the functions
# that came with it. A comment that says `Since RELEASE.` speaks of the functions behind it, up to the
# next comment; all others are the first release's.
#
#	awk -v out=FILE -f map.awk elluminate.h
BEGIN {
	first = "0.1"
	since = first
}

/^\/\*/ {
	since = first
}

match($0, /Since [0-9]+\.[0-9]+\./) {
	since = substr($0, RSTART + 6, RLENGTH - 7)
}

/^ELLU_API / && match($0, /ellu_[a-z_]+\(/) {
	split(since, parts, ".")
	release = sprintf("%05d.%05d", parts[1], parts[2])
	text[release] = since
	symbols[release] = symbols[release] "\t\t" substr($0, RSTART, RLENGTH - 1) ";\n"
}

END {
	for (release in text) {
		for (i = n++; i > 0 && order[i - 1] > release; i--)
			order[i] = order[i - 1]
		order[i] = release
	}
	for (i = 0; i < n; i++) {
		printf "ELLUMINATE_%s {\n\tglobal:\n%s", text[order[i]], symbols[order[i]] >out
		if (i == 0)
			printf "\tlocal:\n\t\t*;\n" >out
		printf "}%s;\n", (i > 0 ? " ELLUMINATE_" text[order[i - 1]] : "") >out
	}
}
