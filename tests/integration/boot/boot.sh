#!/bin/sh
# Boots a real systemd in a tree of its own, with the project installed there, and runs
# checks.sh against it. The machine's own root is never booted: everything happens in a mount
# namespace and a container. Usage: boot.sh BUILD-FOLDER
set -eu
build=$1
here=$(dirname "$0")

[ "${ELLU_TEST_ALL-}" = 1 ] || exit 77

fail()
{
	echo "boot_test: $*" >&2
	exit 1
}

if [ "${2-}" != inside ]; then
	[ "$(id -u)" = 0 ] || fail "root is needed to boot a container"
	for tool in mmdebstrap systemd-nspawn nsenter unshare; do
		command -v $tool >/dev/null 2>&1 || fail "$tool is not installed"
	done
	exec unshare --mount sh "$0" "$build" inside
fi

tree=$build/boot-tree
fill_tree()
{
	rm -rf "$tree" "$tree.log"
	mmdebstrap --variant=minbase --include=systemd,systemd-sysv,dbus,libcurl4,libsqlite3-0,libevent-2.1-7,libevent-pthreads-2.1-7,libjson-c5,libinih1,libcsv3 \
		bookworm "$tree" >"$tree.log" 2>&1 || {
		tail -n 20 "$tree.log" >&2
		fail "the tree cannot be filled"
	}
	chroot "$tree" useradd --create-home alice
	chroot "$tree" useradd --create-home bob
	chroot "$tree" useradd --create-home --groups staff carol
	touch "$tree/filled"
}

[ -e "$tree/filled" ] || fill_tree
DESTDIR=$tree cmake --install "$build" --prefix /usr >"$tree.log" 2>&1 ||
	fail "the project cannot be installed: $(tail -n 3 "$tree.log")"
install "$build/tests/integration/boot/elluminated-blocking" "$tree/usr/bin/"
install "$here/checks.sh" "$tree/usr/bin/elluminate-checks"

mount --make-rprivate /
umount -l /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /run
mkdir -p /run/elluminate-boot
systemd-nspawn -q -D "$tree" -M elluminate-boot --boot --register=no --keep-unit --private-network \
	--console=pipe --link-journal=no --volatile=overlay </dev/null >"$tree.boot" 2>&1 &
container=$!
init=

# Waits for the container's first process, then for systemd to have started everything.
for _ in $(seq 100); do
	init=$(cat /proc/$container/task/$container/children 2>/dev/null | cut -d ' ' -f 1)
	[ -n "$init" ] && [ -S "/proc/$init/root/run/systemd/private" ] && break
	kill -0 $container 2>/dev/null || fail "systemd-nspawn cannot run here: $(tail -n 3 "$tree.boot")"
	sleep 0.1
done
[ -n "$init" ] || fail "the container does not come up: $(tail -n 3 "$tree.boot")"

status=0
nsenter -t "$init" -m -u -i -n -p -C -- sh /usr/bin/elluminate-checks || status=$?
kill -s RTMIN+4 "$init"
wait $container || true
exit $status
