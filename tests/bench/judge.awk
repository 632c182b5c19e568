# Reads the figures of all tries of a benchmark, each ended by "ended: ok" or "ended: short"; prints
# good, failed, or again.
match($0, / (<=|>=) +[^ ]+ +(ok|short)  /) {
	name = substr($0, 1, RSTART)
	sub(/ +[^ ]+ +$/, "", name)
	short = substr($0, RSTART, RLENGTH) ~ /short/
}
/^ended: / {
	name = "end"
	short = /short/
}
name != "" {
	seen[name] = 1
	n_short[name] += short
	if (++n[name] > 2 * n_short[name])
		good[name] = 1
	name = ""
}
END {
	verdict = "good"
	for (name in seen) {
		if (!good[name] && verdict == "good")
			verdict = "again"
		if (!good[name] && n_short[name] >= 3)
			verdict = "failed"
	}
	print verdict
}
