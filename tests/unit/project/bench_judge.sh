#!/bin/sh
# bench_judge.sh AWK: what tests/bench/judge.awk says of the figures of several tries.
set -eu
awk=$1
failed=false

# says VERDICT TRY...: a try is a list of NAME=STATE, and how it ended.
says()
{
	wanted=$1
	shift
	said=$(for try; do
		for figure in $try; do
			case $figure in
			ended) echo "ended: short" ;;
			*) printf '%-18s %8.3f  <= %-6.4g %-5s  of <= 3 tries, ok or short  or so\n' \
				"scale ${figure%=*}" 1 1.2 "${figure#*=}" ;;
			esac
		done
		case $try in *ended*) ;; *) echo "ended: ok" ;; esac
	done | awk -f "$awk")
	[ "$said" = "$wanted" ] || {
		echo "expected $wanted, got $said: $*" >&2
		failed=true
	}
}

says good "a=ok b=ok"
says again "a=ok b=short"
says again "a=ok b=short" "a=ok b=ok"
says good "a=ok b=short" "a=ok b=ok" "a=short b=ok"
# What was good stays so: noise in later tries is not held against it.
says good "a=ok b=short" "a=short b=ok" "a=short b=ok"
says failed "a=short" "a=short" "a=short"
says again "a=short" "a=short" "a=ok" "a=ok"
says failed "a=short" "a=ok" "a=short" "a=ok" "a=short"
says again "a=ok ended"
says failed ended ended ended
says good ended "a=ok" "a=ok"
! $failed
