#!/bin/sh
# proxied_test.sh DAEMON COMMAND MANUAL: the proxies that the manual shows, configured as it says, speak TLS before
# the HTTP front: methods, hosts, and events that are not kept back. What is not installed is fetched, which
# takes ELLU_TEST_ALL.
set -eu
daemon=$1 command=$2 manual=$3
if [ -z "${ELLU_TEST_ALL:-}" ]; then
	echo "ELLU_TEST_ALL is not set"
	exit 77
fi
for program in curl openssl; do
	command -v $program >/dev/null || {
		echo "$program is not there"
		exit 77
	}
done
folder=$(mktemp -d)
started=
finish()
{
	# shellcheck disable=SC2086 # a list of numbers
	[ -z "$started" ] || kill $started 2>/dev/null || true
	wait
	rm -rf "$folder"
}
trap finish EXIT
fail()
{
	echo "$*" >&2
	exit 1
}

# program NAME: where it is; it is unpacked, and not installed, if it is not there.
program()
{
	if command -v "$1"; then
		return
	fi
	(cd "$folder" && apt-get -qq download "$1" >/dev/null 2>&1 && dpkg -x "$1"_*.deb . ) || return 1
	find "$folder/usr/sbin" "$folder/usr/bin" -name "$1" 2>/dev/null | grep .
}

# shown NAME: what the manual shows of its configuration, for our address.
shown()
{
	sed -n "/[Ff]or $1/,/^\.EE/p" "$manual" | sed -e '1,/^\.EX/d' -e '/^\.EE/d' -e 's/\\(dq/"/g' -e 's/\\-/-/g' \
		-e "s/127\.0\.0\.1:8080/$address/" | grep . || fail "the manual says nothing of $1"
}

mkdir -m 700 "$folder/state" "$folder/work"
printf '[http]\nhosts = eval.example.org\nheartbeat_seconds = 3600\n' >"$folder/conf"
mkfifo "$folder/ready"
"$daemon" --no-bus --socket "$folder/socket" --state-dir "$folder/state" --config "$folder/conf" --http 127.0.0.1:0 \
	--log-level warning --ready-fd 3 3>"$folder/ready" &
started="$!"
read -r _ <"$folder/ready"
api()
{
	"$command" --socket "$folder/socket" api "$@"
}
address=$(api GetStatus '{}' | grep -o '127\.0\.0\.1:[0-9]*' | head -n 1)
secret=$(api CreateToken '{"name":"t"}' | sed -n 's/.*"secret": *"\([^"]*\)".*/\1/p')
openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=eval.example.org -keyout "$folder/key.pem" \
	-out "$folder/cert.pem" 2>/dev/null

ask()
{
	curl -sS --insecure --unix-socket "$folder/tls" -H "X-API-Key: $secret" "$@"
}

# through NAME: what has to work, now that it listens.
through()
{
	[ "$(ask -o /dev/null -w '%{http_code}' https://eval.example.org/healthz)" = 200 ] || fail "$1: no health"
	ask https://eval.example.org/api/v1/GetInfo >"$folder/info"
	grep -q '"interfaces"' "$folder/info" || fail "$1: no method: $(cat "$folder/info")"
	ask -H "Host: other.example.org" https://eval.example.org/api/v1/GetInfo >"$folder/info"
	! grep -q '"interfaces"' "$folder/info" || fail "$1: another host's"
	# An event comes when it happens: the stream does not end by itself.
	ask -N -H 'Accept: text/event-stream' https://eval.example.org/api/v1/events \
		>"$folder/$1.events" 2>/dev/null &
	stream=$!
	started="$started $stream"
	i=0
	until grep -q 'task' "$folder/$1.events"; do
		i=$((i + 1))
		[ $i -lt 600 ] || fail "$1: no event"
		api Call '{"messages":[{"role":"user","content":"Hello."}]}' >/dev/null
	done
	kill $stream
	wait $stream || true
}

# Others' servers: neither tells anybody that it listens.
await_socket()
{
	i=0
	until [ -S "$folder/tls" ] && ask -o /dev/null https://eval.example.org/healthz 2>/dev/null; do
		i=$((i + 1))
		[ $i -lt 600 ] || fail "$1 does not listen"
		sleep 0.1
	done
}

tried=
if nginx=$(program nginx); then
	{
		printf 'daemon off;\npid %s/nginx.pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n' "$folder"
		for what in client_body proxy fastcgi uwsgi scgi; do
			printf '%s_temp_path %s/work/%s;\n' $what "$folder" $what
		done
		printf 'server {\nlisten unix:%s/tls ssl;\nssl_certificate %s/cert.pem;\nssl_certificate_key %s/key.pem;\n' \
			"$folder" "$folder" "$folder"
		shown nginx
		printf '}\n}\n'
	} >"$folder/nginx.conf"
	"$nginx" -e stderr -c "$folder/nginx.conf" &
	proxy=$!
	started="$started $proxy"
	await_socket nginx
	through nginx
	kill $proxy
	wait $proxy || true
	rm -f "$folder/tls"
	tried="$tried nginx"
fi
if caddy=$(program caddy); then
	{
		printf '{\nadmin off\nauto_https disable_redirects\ngrace_period 1s\n}\n'
		shown caddy | sed "1a bind unix/$folder/tls\ntls $folder/cert.pem $folder/key.pem"
	} >"$folder/Caddyfile"
	HOME=$folder/work XDG_CONFIG_HOME=$folder/work XDG_DATA_HOME=$folder/work \
		"$caddy" run --config "$folder/Caddyfile" --adapter caddyfile 2>"$folder/caddy.log" &
	proxy=$!
	started="$started $proxy"
	await_socket caddy
	through caddy
	kill $proxy
	wait $proxy || true
	tried="$tried caddy"
fi
[ -n "$tried" ] || {
	echo "neither nginx nor caddy can be had"
	exit 77
}
echo "tried:$tried"
