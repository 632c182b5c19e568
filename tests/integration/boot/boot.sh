#!/bin/sh
# Boots a real systemd in a tree of its own, does there what the README says of a service of the
# machine, while the system runs, and runs checks.sh against it; then boots it once more. The
# machine's own root is never booted: everything happens in a mount namespace and a container.
# Usage: boot.sh BUILD-FOLDER SOURCE-FOLDER
set -eu
build=$1
source=$2
here=$(dirname "$0")

[ "${ELLU_TEST_ALL-}" = 1 ] || exit 77

fail()
{
	echo "boot_test: $*" >&2
	exit 1
}

if [ "${3-}" != inside ]; then
	[ "$(id -u)" = 0 ] || fail "root is needed to boot a container"
	for tool in mmdebstrap systemd-nspawn nsenter unshare; do
		command -v $tool >/dev/null 2>&1 || fail "$tool is not installed"
	done
	exec unshare --mount sh "$0" "$build" "$source" inside
fi

tree=$build/boot-tree
packages=systemd,systemd-sysv,dbus,polkitd,libcurl4,libsqlite3-0,libevent-2.1-7,libevent-pthreads-2.1-7,libjson-c5,libinih1,libcsv3,libyaml-0-2
fill_tree()
{
	rm -rf "$tree" "$tree.log"
	mmdebstrap --variant=minbase --include="$packages" bookworm "$tree" \
		>"$tree.log" 2>&1 || {
		tail -n 20 "$tree.log" >&2
		fail "the tree cannot be filled"
	}
	chroot "$tree" useradd --create-home alice
	chroot "$tree" useradd --create-home bob
	chroot "$tree" useradd --create-home --groups staff carol
	echo "$packages" >"$tree/filled"
}

[ "$(cat "$tree/filled" 2>/dev/null)" = "$packages" ] || fill_tree

mount --make-rprivate /
umount -l /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /run
# The tree stays as it is. What is written over it lasts from one boot to the next.
mkdir -p /run/elluminate-boot/upper /run/elluminate-boot/work /run/elluminate-boot/root
mount -t overlay overlay /run/elluminate-boot/root -o \
	"lowerdir=$tree,upperdir=/run/elluminate-boot/upper,workdir=/run/elluminate-boot/work"

container=
init=

# Waits for the container's first process, then for systemd to listen: asked again and again, as
# nobody out here is told of either.
boot()
{
	systemd-nspawn -q -D /run/elluminate-boot/root -M elluminate-boot --boot --register=no \
		--keep-unit --private-network --console=pipe --link-journal=no \
		</dev/null >>"$tree.boot" 2>&1 &
	container=$!
	for _ in $(seq 600); do
		init=$(cut -d ' ' -f 1 <"/proc/$container/task/$container/children" 2>/dev/null) || true
		[ -n "$init" ] && [ -S "/proc/$init/root/run/systemd/private" ] && return
		kill -0 $container 2>/dev/null ||
			fail "systemd-nspawn cannot run here: $(tail -n 3 "$tree.boot")"
		sleep 0.1
	done
	fail "the container does not come up: $(tail -n 3 "$tree.boot")"
}

power_off()
{
	kill -s RTMIN+4 "$init"
	wait $container || true
}

# inside COMMAND...
inside()
{
	nsenter -t "$init" -m -u -i -n -p -C -- "$@"
}

# The commands of the README's section, as they stand there. The build is not inside: its line is
# done from here, into the running system.
readme()
{
	# shellcheck disable=SC2016 # the quotes of Markdown
	sed -n '/^### As a service of the machine/,/^```$/p' "$source/README.md" |
		sed -n '/^```sh/,/^```$/p' | sed '/^```/d'
}

: >"$tree.boot"
boot
readme | head -n 1 | grep -q '^sudo cmake --install build --prefix /usr && sudo ldconfig$' ||
	fail "the README installs in another way: $(readme | head -n 1)"
DESTDIR=/proc/$init/root cmake --install "$build" --prefix /usr >"$tree.log" 2>&1 ||
	fail "the project cannot be installed: $(tail -n 3 "$tree.log")"
install "$build/tests/integration/boot/elluminated-blocking" "/proc/$init/root/usr/bin/"
install "$here/checks.sh" "/proc/$init/root/usr/bin/elluminate-checks"
{
	echo 'set -eu; sudo() { "$@"; }; ldconfig; set -x'
	readme | tail -n +2
} | inside sh || fail "what the README says does not work: $(inside systemctl status elluminated --no-pager 2>&1)"

status=0
inside sh /usr/bin/elluminate-checks running || status=$?
power_off
if [ $status = 0 ]; then
	boot
	inside sh /usr/bin/elluminate-checks again || status=$?
	power_off
fi
exit $status
