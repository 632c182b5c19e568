"""A daemon with its HTTP front and a simulated endpoint, for a test: both end with it."""
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import urllib.request


class Front:
    def __init__(self, command):
        self.command = command
        self.daemon = self.endpoint = None

    def start(self, folder, daemon, endpoint):
        self.socket = os.path.join(folder, "socket")
        ready, write = os.pipe()
        self.daemon = subprocess.Popen(
            [daemon, "--no-bus", "--socket", self.socket, "--state-dir", os.path.join(folder, "state"),
             "--config", "/dev/null", "--http", "127.0.0.1:0", "--log-level", "warning", "--ready-fd", str(write)],
            pass_fds=[write])
        os.close(write)
        with os.fdopen(ready) as pipe:
            assert pipe.read().strip() == "READY"
        self.endpoint = subprocess.Popen([endpoint, "--exit-with-parent"], stdout=subprocess.PIPE, text=True)
        self.endpoint_url = self.endpoint.stdout.readline().split()[1]
        self.url = self.call("GetStatus")["front"]["http"]
        self.own_token = self.token("front")

    def call(self, method, **parameters):
        return json.loads(subprocess.run(
            [self.command, "--socket", self.socket, "api", method, json.dumps(parameters)],
            check=True, capture_output=True, text=True).stdout)

    def token(self, name, **parameters):
        return self.call("CreateToken", name=name, **parameters)["secret"]

    def follow(self):
        """What tasks there are, and what becomes of them, from now on."""
        headers = {"Authorization": "Bearer " + self.own_token, "Accept": "text/event-stream"}
        stream = urllib.request.urlopen(urllib.request.Request(self.url + "/api/v1/events", headers=headers))
        return (json.loads(line[6:]) for line in stream if line.startswith(b"data: "))

    def cancel(self, name):
        """The task of that name, once there is one."""
        found = next(reply["task"] for reply in self.follow() if reply.get("task", {}).get("name") == name)
        self.call("CancelTask", id=found["id"])

    def control(self, **settings):
        urllib.request.urlopen(urllib.request.Request(
            self.endpoint_url + "/control", json.dumps(settings).encode())).close()

    def stats(self):
        with urllib.request.urlopen(self.endpoint_url + "/stats") as answer:
            return json.load(answer)

    def stop(self):
        if self.endpoint:
            self.endpoint.terminate()
            self.endpoint.wait()
        if self.daemon:
            self.daemon.terminate()
            assert self.daemon.wait() == 0


@contextlib.contextmanager
def front():
    with tempfile.TemporaryDirectory() as folder:
        it = Front(sys.argv[2])
        try:
            it.start(folder, sys.argv[1], sys.argv[3])
            yield it
        finally:
            it.stop()
