#!/bin/sh
# method_coverage.sh COMMAND SOURCE GENERATED PYTHON-INTERFACE: prints what each method of the interface has: a
# command, functions in C and in Python (where the package was made), what `Call` on D-Bus makes of it, and a
# test that calls it. Fails where one lacks any. On D-Bus a call has one answer: of what makes a task the
# task, of a list a page, of what follows a task its end; what never ends is refused (bus_test).
set -eu
command=$1 source=$2 generated=$3 python=$4
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

# The files of tests that call a method, by its name or its function.
called()
{
	resource=$(echo "$1" | sed -n 's/^\(GetOrCreate\|Update\|Delete\)\([A-Z].*\)/\2/p')
	# resources_test makes the names of these.
	if [ -n "$resource" ] && grep -q "\"$resource\"" "$source/tests/integration/resources_test.c"; then
		echo "$source/tests/integration/resources_test.c"
		return
	fi
	grep -rlE "\"$1\"|\b$1'|ellu_$2(_stream|_async|_stream_async)?\(|\.$2\(|org\.elluminate\.$1\b" \
		"$source/tests/integration" "$source/tests/fault" "$source/client/examples" \
		--include='*_test.c' --include='*.py' --include='*.c' --exclude=key_test.c | head -n 1
}

"$command" api --color=never --no-header >"$scratch/commands"
sed -n 's/^{"name":"\([A-Za-z]*\)","snake":"\([a-z_]*\)".*/\1 \2/p' "$generated/interface.json" >"$scratch/functions"
[ -s "$scratch/commands" ]
while read -r method name; do
	function=$(sed -n "s/^$method //p" "$scratch/functions")
	grep -q "^static inline int ellu_$function(" "$generated/elluminate-methods.h" || function=
	in_python=-
	if [ -e "$python" ]; then
		in_python=$(sed -n "s/^    def \($function\|${function}_stream\)(.*/\1/p" "$python" | head -n 1)
	fi
	test=$(called "$method" "$function")
	case $(grep "^{\"name\":\"$method\"," "$generated/interface.json") in
	*'"name":"detach"'*) on_bus='the task' ;;
	*'"replies":"pages"'*) on_bus='a page' ;;
	*'"replies":"events"'*'"follows_task":true'*) on_bus='its end' ;;
	*'"replies":"events"'*) on_bus=refused ;;
	*) on_bus='the reply' ;;
	esac
	printf '%-28s %-26s %-30s %-30s %-9s %s\n' "$method" "$name" "$function" "$in_python" "$on_bus" \
		"${test#"$source/"}"
	if [ "$name" = api ] || [ -z "$function" ] || [ -z "$in_python" ] || [ -z "$test" ]; then
		echo "$method lacks something" >&2
		failed=1
	fi
done <"$scratch/commands"
exit $failed
