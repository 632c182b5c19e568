# What the scripts share; sourced from the top of the source tree. A package list is a file like
# tests/packages.
# shellcheck shell=sh

say()
{
	printf '%s\n' "$*"
}

die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

n_cores()
{
	getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2
}

# installed KIND WHAT: whether the machine has what a line of a package list looks for.
installed()
{
	case $1 in
	pkgconfig) pkg-config --exists "$2" 2>/dev/null ;;
	header) printf '#include <%s>\n' "$2" | cc -E - >/dev/null 2>&1 ;;
	program | tool) command -v "$2" >/dev/null 2>&1 ;;
	path) [ -e "$2" ] ;;
	*) return 1 ;;
	esac
}

# The packages of the given lists that are not there.
missing_packages()
{
	cat "$@" | while read -r package kind what _; do
		case $package in
		'#'* | '') ;;
		*) installed "$kind" "$what" || printf '%s ' "$package" ;;
		esac
	done
}

apt_get()
{
	if [ "$(id -u)" = 0 ]; then
		DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@"
	else
		sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@"
	fi
}

# install_packages LIST...: installs what is missing, and says what; nothing when all is there.
install_packages()
{
	missing=$(missing_packages "$@")
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null 2>&1 ||
		die "these packages are missing, and apt-get is not there to install them: $missing"
	[ "$(id -u)" = 0 ] || command -v sudo >/dev/null 2>&1 ||
		die "root is needed once, for: apt-get install $missing"
	say "Installing: $missing"
	log=$(mktemp)
	# shellcheck disable=SC2086 # a list of words
	if apt_get update >"$log" 2>&1 &&
		apt_get install --no-install-recommends $missing >>"$log" 2>&1; then
		rm -f "$log"
	else
		cat "$log" >&2
		rm -f "$log"
		die "apt-get could not install: $missing"
	fi
	missing=$(missing_packages "$@")
	[ -z "$missing" ] || die "still missing after the installation: $missing"
}

# configure PRESET FOLDER [OPTION...]: quiet unless it fails.
configure()
{
	preset=$1
	folder=$2
	shift 2
	# A folder keeps the generator that it was made with.
	if [ ! -e "$folder/CMakeCache.txt" ] && command -v ninja >/dev/null 2>&1; then
		set -- "$@" -G Ninja
	fi
	mkdir -p "$folder"
	cmake --preset "$preset" "$@" >"$folder/configure.log" 2>&1 || {
		cat "$folder/configure.log" >&2
		return 1
	}
}

# build FOLDER [TARGET...]: all targets, or the given; quiet unless it warns or fails.
build()
{
	folder=$1
	shift
	[ $# = 0 ] || set -- --target "$@"
	cmake --build "$folder" -j "$(n_cores)" "$@" >"$folder/build.log" 2>&1 || {
		grep -v '^\[[ 0-9/%]*\] *[A-Z][a-z]*ing ' "$folder/build.log" >&2
		return 1
	}
	grep -A 8 'warning:' "$folder/build.log" >&2 || true
}
