#!/bin/sh
# What systemd's own tools say of the units, the catalog and the policy, as installed.
# Usage: units.sh BUILD-FOLDER SOURCE-FOLDER
set -eu
build=$1
source=$2
command -v systemd-analyze >/dev/null 2>&1 || exit 77
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

fail()
{
	echo "units_test: $*" >&2
	exit 1
}

cmake --install "$build" --prefix "$tree/usr" >/dev/null

# verify exits with 0 on keys that it does not know: only silence is good.
for folder in system user; do
	units=$tree/usr/lib/systemd/$folder
	for unit in elluminated.service elluminated.socket; do
		said=$(XDG_RUNTIME_DIR=$tree SYSTEMD_UNIT_PATH=$units:/usr/lib/systemd/$folder \
			systemd-analyze verify --man=no "--$folder" "$units/$unit" 2>&1) ||
			fail "$folder/$unit: $said"
		[ -z "$said" ] || fail "$folder/$unit: $said"
	done
done

# 1.5, as the tool counts: ten times.
said=$(systemd-analyze security --offline=true --threshold=15 --no-pager \
	"$tree/usr/lib/systemd/system/elluminated.service" 2>&1) || fail "$(echo "$said" | tail -n 2)"

journalctl --root="$tree" --update-catalog
sed -n 's/.*MESSAGE(LOG_[A-Z_]*, "\([0-9a-f]*\)").*/\1/p' "$source/daemon/base/log_message.h" >"$tree/ids"
while read -r id; do
	journalctl --root="$tree" --list-catalog "$id" 2>/dev/null | grep -q . ||
		fail "no entry in the catalog for $id"
done <"$tree/ids"
entries=$(grep -c '^-- ' "$source/systemd/elluminated.catalog")
messages=$(grep -c 'MESSAGE(LOG_' "$source/daemon/base/log_message.h")
[ "$entries" = "$messages" ] || fail "$entries entries in the catalog for $messages messages"
for file in "$tree"/usr/share/dbus-1/*services/*.service; do
	grep -q '^SystemdService=elluminated.service$' "$file" || fail "$file names another unit"
done

for interface in Manager:RunExperiment Task:Retry; do
	file=$tree/usr/share/dbus-1/interfaces/org.elluminate.Elluminate1.${interface%:*}.xml
	grep -q "<method name=\"${interface#*:}\">" "$file" || fail "$file lacks ${interface#*:}"
done
grep -q '>unix-user:elluminate<' "$tree"/usr/share/polkit-1/actions/*.policy ||
	fail "polkit would not answer the service's user"

# Where nothing reads XML, the bus and polkit would be the first to find it broken.
if [ "${ELLU_TEST_ALL-}" = 1 ] || command -v xmllint >/dev/null 2>&1; then
	for file in "$tree"/usr/share/polkit-1/actions/*.policy "$tree"/usr/share/dbus-1/system.d/*.conf \
		"$tree"/usr/share/dbus-1/interfaces/*.xml; do
		said=$(xmllint --noout --nonet "$file" 2>&1) || fail "$file: $said"
	done
fi
