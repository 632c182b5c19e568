// Endpoints over TLS, one a certificate and one that knows HTTP/1.1 only, and two proxies. Prints
// "NAME PORT" for each, then an empty line. An answer's text says how it was asked for.
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';

const folder = process.argv[2];
const key = fs.readFileSync(`${folder}/server.key`);
const proxied = new Map(); // local port of a proxy's connection: the proxy's name
const resetOnce = new Set(); // keys of calls that were reset
const connections = new Set();

function answer(request, response) {
	const how = proxied.get(request.socket.remotePort) ?? 'direct';

	connections.add(`${request.httpVersion} ${request.socket.remotePort}`);
	request.resume().on('end', () => {
		response.setHeader('Content-Type', 'application/json');
		response.end(JSON.stringify({ choices: [{
			message: { content: `HTTP/${request.httpVersion} ${how}, ` +
				`${[...connections].filter((c) => c.startsWith('2.')).length} connections` },
			finish_reason: 'stop' }] }));
	});
}

// The first request of each call ends as a reset stream on a connection that lives on.
function resetFirst(request, response) {
	const call = request.headers['idempotency-key'];

	if (resetOnce.has(call))
		return answer(request, response);
	resetOnce.add(call);
	request.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
}

function tls(certificate) {
	return { key, cert: fs.readFileSync(`${folder}/${certificate}.pem`), allowHTTP1: true };
}

function pipe(name, from, host, port, established) {
	const to = net.connect(port, host, () => {
		proxied.set(to.localPort, name);
		established();
		from.pipe(to).pipe(from);
	});

	to.on('error', () => from.destroy());
	from.on('error', () => to.destroy());
}

const connectProxy = http.createServer().on('connect', (request, socket) => {
	const [host, port] = request.url.split(':');

	pipe('connect', socket, host, port,
		() => socket.write('HTTP/1.1 200 Connection established\r\n\r\n'));
});

// No authentication, names only: socks5h leaves looking them up to the proxy.
const socksProxy = net.createServer((socket) => {
	socket.on('error', () => {});
	socket.once('data', () => {
		socket.write(Buffer.from([5, 0]));
		socket.once('data', (wish) => {
			if (wish[3] !== 3)
				return socket.destroy();
			const size = wish[4];
			const host = wish.toString('latin1', 5, 5 + size);

			pipe('socks5h', socket, host, wish.readUInt16BE(5 + size),
				() => socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0])));
		});
	});
});

const servers = {
	good: http2.createSecureServer(tls('good'), answer),
	old: https.createServer(tls('good'), answer),
	reset: http2.createSecureServer(tls('good'), resetFirst),
	expired: http2.createSecureServer(tls('expired'), answer),
	self_signed: http2.createSecureServer(tls('self_signed'), answer),
	elsewhere: http2.createSecureServer(tls('elsewhere'), answer),
	plain: http.createServer(answer),
	connect: connectProxy,
	socks5h: socksProxy,
};

for (const [name, server] of Object.entries(servers)) {
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	console.log(`${name} ${server.address().port}`);
}
console.log('');
