"""page_test.py DAEMON COMMAND ENDPOINT AXE FOLDER: an experiment is followed to its end in a browser, and another
one cancelled, by the keyboard; what an answer has of markup is text; nothing is said on the console; axe finds
nothing serious, light and dark, wide and narrow, of which the folder gets pictures. Prometheus's own parser
reads the metrics."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from browser import Browser

daemon, command, endpoint, axe, pictures = sys.argv[1:]
PLANTED = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


class World:
    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        path = self.folder.name
        self.socket = path + "/socket"
        ready, write = os.pipe()
        self.daemon = subprocess.Popen([daemon, "--state-dir", path + "/state", "--socket", self.socket, "--no-bus",
                                        "--http", "127.0.0.1:0", "--ready-fd", str(write)], pass_fds=(write,))
        os.close(write)
        assert os.read(ready, 100) == b"READY\n"
        return self

    def __exit__(self, *_):
        self.daemon.terminate()
        assert self.daemon.wait() == 0
        self.folder.cleanup()

    def run(self, *words):
        return subprocess.run([command, "--socket", self.socket, "--no-color", *words], check=True, text=True,
                              stdout=subprocess.PIPE).stdout

    def api(self, method, **parameters):
        return json.loads(self.run("api", method, json.dumps(parameters)))

    def experiment(self, name, rows, seconds):
        """A task, told of at once."""
        self.api("CreateCollection", collection={"name": name})
        self.api("AddTemplateVariables", collection={"name": name}, variables=rows)
        config = {"name": name, "provider": "simulated", "llm_model_name": "slow", "max_connections": 2,
                  "custom": {"latency_seconds": seconds}}
        return self.api("RunExperiment", name=name, collection={"ref": {"name": name}}, detach=True,
                        prompt_template={"content": {"name": name, "messages": [{"role": "user", "content": "{{q}}"}]}},
                        llm_config={"content": config}, criteria=["Is it an answer?"])["task"]


def get(url, token=None):
    request = urllib.request.Request(url, headers={"Authorization": "Bearer " + token} if token else {})
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode(), answer.headers


def metrics(world, url, token):
    families = {each.name: each for each in text_string_to_metric_families(get(url + "/metrics", token)[0])}
    assert families["elluminate_build_info"].samples[0].value == 1
    assert {each.labels["status"] for each in families["elluminate_tasks"].samples} == {"PENDING", "STARTED"}
    calls = families["elluminate_endpoint_calls"]
    assert calls.type == "counter" and sum(each.value for each in calls.samples) > 0
    labels = [tuple(sorted(each.labels.items())) for each in calls.samples]
    assert len(labels) == len(set(labels))
    try:
        get(url + "/metrics")
        raise AssertionError("metrics without a token")
    except urllib.error.HTTPError as error:
        assert error.code == 401
    print(f"{len(families)} families of metrics")


def check_axe(browser, where):
    with open(axe) as file:
        browser.evaluate(file.read() + "; true")
    found = browser.evaluate("axe.run().then((all) => all.violations.filter((each) => "
                             "['serious', 'critical'].includes(each.impact)).map((each) => each.id + ': ' + "
                             "each.nodes.map((node) => node.html).join(' | ')))")
    assert not found, (where, found)


def look(browser, name):
    for dark in (False, True):
        for width, height in ((1280, 900), (390, 844)):
            path = os.path.join(pictures, f"{name}-{'dark' if dark else 'light'}-{width}.png")
            browser.look(width, height, dark, path)
            # Nothing but a table's own region is wider than the page.
            assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, width)
            check_axe(browser, (name, dark, width))


def page(world, browser, address, url):
    first = world.experiment("followed", [{"q": f"question {i}"} for i in range(20)], 0.05)
    second = world.experiment("cancelled", [{"q": f"question {i}"} for i in range(500)], 1)
    browser.go(address)
    browser.wait_for("document.querySelectorAll('tbody tr').length === 2")
    assert browser.evaluate("location.hash") == "", "the token stays in the address"
    browser.wait_for(f"!!document.querySelector('progress[aria-label^=\"task {second['id']}:\"]')")
    look(browser, "tasks")
    # Cancelled by the keyboard alone.
    browser.wait_for(f"(() => {{ const it = document.querySelector('[aria-label=\"Cancel task {second['id']}\"]');"
                     " if (!it) return false; it.focus(); return document.activeElement === it; })()")
    browser.key(" ", 32)
    browser.wait_for("document.body.innerText.includes('REVOKED')")
    assert world.api("GetTask", id=second["id"])["task"]["status"] == "REVOKED"
    browser.wait_for("document.body.innerText.includes('SUCCESS')")
    browser.go(url + f"/#experiment/{first['experiment_id']}")
    browser.wait_for("document.querySelectorAll('details.case').length === 20")
    browser.evaluate("document.querySelector('details.case').open = true")
    look(browser, "experiment")
    browser.go(url + "/#experiments")
    browser.wait_for("document.querySelectorAll('input[type=checkbox]').length === 2")
    browser.evaluate("document.querySelectorAll('input[type=checkbox]').forEach((each) => each.click())")
    browser.evaluate("[...document.querySelectorAll('button')].find((each) => each.textContent === 'Compare').click()")
    browser.wait_for("document.body.innerText.includes('Cases that changed')")
    look(browser, "comparison")
    for section, text in (("daemon", "Endpoints"), ("cost", "Cost")):
        browser.go(url + "/#" + section)
        browser.wait_for(f"document.querySelector('#view').innerText.includes('{text}')")
        look(browser, section)


def planted(world, browser, url):
    world.api("CreateCollection", collection={"name": PLANTED})
    world.api("AddTemplateVariables", collection={"name": PLANTED}, variables=[{"answer": PLANTED}])
    task = world.api("RunExperiment", name=PLANTED, collection={"ref": {"name": PLANTED}}, response_column="answer",
                     criteria=[PLANTED], rating_llm_config={"ref": {"name": "simulated"}})["task"]
    assert task["status"] == "SUCCESS", task
    for place in ("tasks", "experiments", f"experiment/{task['experiment_id']}"):
        browser.go(url + "/#" + place)
        browser.wait_for("document.querySelector('#view').innerText.includes('<script>')")
    browser.wait_for("document.querySelectorAll('details.case').length === 1")
    browser.evaluate("document.querySelector('details.case').open = true")
    assert browser.evaluate("document.title") == "elluminate"
    assert browser.evaluate("document.querySelectorAll('#view script, #view img').length") == 0


with World() as world:
    address = world.run("web", "--print").strip()
    url, token = address.split("/#token=")
    policy = get(url + "/")[1]["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy, policy
    browser = Browser()
    try:
        page(world, browser, address, url)
        planted(world, browser, url)
        metrics(world, url, token)
        assert not browser.errors, browser.errors
        # A token that is no more is said to be none.
        for each in json.loads(world.run("token", "list", "--json"))["items"]:
            world.run("token", "revoke", str(each["id"]))
        browser.go(url + "/#tasks")
        browser.wait_for("!document.querySelector('#login').hidden")
        look(browser, "login")
    finally:
        browser.close()
