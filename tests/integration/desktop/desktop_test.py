"""The desktop example on a screen: it starts without a daemon, shows progress in proportion, survives
the daemon's end and restart, cancels by its button, notifies.
Usage: desktop_test.py DAEMON PROGRAM"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

if os.environ.get("ELLU_TEST_ALL") != "1":
    sys.exit(77)

import gi  # noqa: E402

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

sys.dont_write_bytecode = True  # beside the sources
import screen  # noqa: E402

NAME = "org.elluminate.Elluminate1"
PATH = "/org/elluminate/Elluminate1"
WAIT_SECONDS = 60
PIXELS = 2  # by which the filled part may be off
DAEMON, PROGRAM = sys.argv[1:3]

NOTIFICATIONS = """<node><interface name="org.freedesktop.Notifications"><method name="Notify">
<arg type="s"/><arg type="u"/><arg type="s"/><arg type="s"/><arg type="s"/><arg type="as"/>
<arg type="a{sv}"/><arg type="i"/><arg type="u" direction="out"/></method></interface></node>"""

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC '-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN'
 'http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd'>
<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>
<policy context='default'><allow send_destination='*' eavesdrop='true'/>
<allow eavesdrop='true'/><allow own='*'/></policy></busconfig>"""


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def until(condition, text):
    """Lets events come in until it is so; what it returns."""
    context = GLib.MainContext.default()
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        while context.iteration(False):
            pass
        result = condition()
        if result:
            return result
        check(time.monotonic() < deadline, "never: " + text)
        # Something happened, or it is time for another picture.
        source = GLib.timeout_add(50, lambda: GLib.SOURCE_REMOVE)
        context.iteration(True)
        if context.find_source_by_id(source):
            GLib.source_remove(source)


class Session:
    """A bus, a screen, and what was started on them. With `--system` the bus is the system's too: there
    signals go to subscribers alone."""

    def __init__(self, options):
        self.options = options
        self.folder = tempfile.mkdtemp(prefix="desktop-test-")
        self.processes = []
        self.daemon = self.program = None
        self.environment = {**os.environ, "HOME": self.folder, "XDG_RUNTIME_DIR": self.folder,
                            "XDG_CONFIG_HOME": self.folder, "NO_AT_BRIDGE": "1", "GDK_BACKEND": "x11",
                            "GSETTINGS_BACKEND": "memory", "GTK_THEME": "Adwaita", "LC_ALL": "C.UTF-8"}
        self.write("gtk-3.0/gtk.css", screen.STYLE)

    def start(self, command, environment=None, **options):
        log = open(os.path.join(self.folder, os.path.basename(command[0]) + ".log"), "ab")
        process = subprocess.Popen(command, env=environment or self.environment, stderr=log,
                                   start_new_session=True, **options)
        log.close()
        self.processes.append(process)
        return process

    def start_ready(self, command, flag, **options):
        """Waits for the first line that it writes to the descriptor that the flag names."""
        reading, writing = os.pipe()
        process = self.start(command + [flag.format(writing)], pass_fds=[writing], **options)
        os.close(writing)
        with os.fdopen(reading) as ready:
            check(ready.readline(), command[0] + " does not come up")
        return process

    def write(self, name, text):
        file = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "w", encoding="utf-8") as out:
            out.write(text)
        return file

    def start_bus(self):
        socket = os.path.join(self.folder, "bus")
        self.environment["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=" + socket
        self.environment["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=" + socket
        self.start_ready(["dbus-daemon", "--nofork", "--nosyslog", "--config-file=" +
                          self.write("bus.conf", BUS_CONFIG.format(socket))],
                         "--print-address={}")
        self.bus = Gio.DBusConnection.new_for_address_sync(
            "unix:path=" + socket, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT |
            Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)

    def start_screen(self):
        self.screen = screen.Screen(self.start, os.getcwd(), self.environment)
        self.environment["DISPLAY"] = self.screen.display

    def start_daemon(self):
        self.daemon = self.start_ready(
            [DAEMON, *self.options, "--state-dir", os.path.join(self.folder, "state"), "--socket",
             os.path.join(self.folder, "socket")], "--ready-fd={}")
        self.bus.call_sync(NAME, PATH, NAME + ".Manager", "Subscribe", None, None,
                           Gio.DBusCallFlags.NO_AUTO_START, WAIT_SECONDS * 1000, None)

    def start_program(self, *files):
        return self.start([PROGRAM, *self.options, *files])

    def submit(self, name, text):
        """By a second program, which hands the file to the first."""
        self.hand_over(self.write(name, text))

    def hand_over(self, file):
        check(self.start_program(file).wait(WAIT_SECONDS) == 0, "the file is not handed over")

    def kill_daemon(self):
        self.daemon.kill()
        self.daemon.wait()

    def stop(self):
        for process in reversed(self.processes):
            process.kill()
            process.wait()
        shutil.rmtree(self.folder)

    def logs(self):
        for name in sorted(os.listdir(self.folder)):
            if name.endswith(".log"):
                with open(os.path.join(self.folder, name), encoding="utf-8", errors="replace") as log:
                    print(f"---- {name}\n{log.read()}", file=sys.stderr)


class Tasks:
    """What the daemon says on the bus, told apart from what the program shows."""

    def __init__(self, bus):
        self.bus = bus
        self.properties = {}
        bus.signal_subscribe(None, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded", PATH,
                             None, Gio.DBusSignalFlags.NONE, self.on_added)
        bus.signal_subscribe(None, "org.freedesktop.DBus.Properties", "PropertiesChanged", None,
                             NAME + ".Task", Gio.DBusSignalFlags.NONE, self.on_changed)

    def on_added(self, _bus, _sender, _path, _interface, _signal, arguments):
        path, interfaces = arguments.unpack()
        self.properties.setdefault(path, {}).update(interfaces[NAME + ".Task"])

    def on_changed(self, _bus, _sender, path, _interface, _signal, arguments):
        self.properties.setdefault(path, {}).update(arguments.unpack()[1])

    def named(self, name):
        """Its path, once there is one."""
        return until(lambda: next((path for path in self.properties if self.get(path, "Name") == name),
                                  None), name)

    def get(self, path, name):
        return self.properties.get(path, {}).get(name)

    def call(self, path, interface, method, arguments):
        return self.bus.call_sync(NAME, path, interface, method, arguments, None,
                                  Gio.DBusCallFlags.NO_AUTO_START, WAIT_SECONDS * 1000, None).unpack()

    def api(self, method, path):
        parameters = json.dumps({"id": int(path.rsplit("/", 1)[1])})
        return self.call(PATH, NAME + ".Manager", "Call", GLib.Variant("(ss)", (method, parameters)))

    def percent(self, path):
        return self.call(path, "org.freedesktop.DBus.Properties", "Get",
                         GLib.Variant("(ss)", (NAME + ".Task", "PercentComplete")))[0]


class Notifications:
    """In place of the desktop's own service."""

    def __init__(self, bus):
        self.seen = []
        interface = Gio.DBusNodeInfo.new_for_xml(NOTIFICATIONS).interfaces[0]
        bus.register_object("/org/freedesktop/Notifications", interface, self.on_call, None, None)
        Gio.bus_own_name_on_connection(bus, "org.freedesktop.Notifications",
                                       Gio.BusNameOwnerFlags.NONE, None, None)

    def on_call(self, _bus, _sender, _path, _interface, _method, arguments, invocation):
        _app, _replaces, _icon, summary, body, _actions, _hints, _timeout = arguments.unpack()
        self.seen.append((summary, body))
        invocation.return_value(GLib.Variant("(u)", (len(self.seen),)))


def experiment(name, rows, seconds):
    """A file as people write it: with comments, and with what looks like one in a text."""
    content = {"name": name,
               "prompt_template": {"content": {"name": "T", "messages": [
                   {"role": "user", "content": "Say \"{{n}}\" /* loudly */ // at http://host/"}]}},
               "collection": {"content": {"name": f"C{rows}", "variables": [
                   {"n": str(n)} for n in range(rows)]}},
               "evaluators": [{"evaluator": {"name": "Word Count"}, "variables": {"range": "1.."}}],
               "llm_config": {"content": {"name": f"takes {seconds}", "provider": "simulated",
                                          "max_connections": 2,
                                          "custom": {"latency_seconds": seconds}}}}
    return "// An experiment.\n/* Of \"" + name + "\". */\n" + json.dumps(content, indent=1)


def is_in_order(row, window):
    """Name, bar, state and button side by side, inside of the window."""
    boxes = [row.name, row.bar, row.state, row.button]
    if None in boxes:
        return False
    middles = [(box.top + box.bottom) / 2 for box in boxes]
    return (window.left < row.name.left and row.button.right < window.right and
            window.top < row.bar.top and row.bar.bottom < window.bottom and
            all(a.right < b.left for a, b in zip(boxes, boxes[1:])) and
            max(middles) - min(middles) <= PIXELS)


def shows(picture, percent, is_grey=False):
    """Whether there is one task, at this percentage, that can be cancelled or is greyed out."""
    rows = picture.rows()
    if len(rows) != 1 or not rows[0].is_solid or not is_in_order(rows[0], picture.find({screen.WINDOW})):
        return False
    row = rows[0]
    width = row.bar.right - row.bar.left
    return (width > 100 and abs(row.filled - width * percent / 100) <= PIXELS and
            row.is_grey == is_grey and row.can_cancel != is_grey)


def run_until(tasks, path, percent):
    """Lets the task run up to there, and holds it; where it stands once no call is in flight."""
    until(lambda: (tasks.get(path, "PercentComplete") or 0) >= percent, f"{percent} %")
    tasks.api("PauseTask", path)
    until(lambda: (tasks.get(path, "Status"), tasks.get(path, "Hold")) == ("PENDING", "user"), "held")
    return tasks.percent(path)


def starts_without_a_daemon(session):
    session.program = session.start_program()
    picture = until(lambda: (lambda p: p.find({screen.WINDOW}) and p)(session.screen.picture("alone")),
                    "a window without a daemon")
    check(picture.rows() == [], "tasks without a daemon")
    check(session.program.poll() is None, "the program has ended")
    # It says so where tasks would be.
    until(lambda: session.screen.picture("alone").find({screen.LABEL}), "words in the place of tasks")


def shows_progress(session, tasks):
    session.start_daemon()
    session.submit("half.json", experiment("Half a list", 40, 0.2))
    path = tasks.named("Half a list")
    percent = run_until(tasks, path, 40)
    check(percent < 80, f"{percent} % is not about half")
    until(lambda: shows(session.screen.picture("half"), percent), "half a bar")
    check(tasks.percent(path) == percent, "it went on")
    return path


def survives_a_restart(session, tasks, path):
    percent = tasks.percent(path)
    session.kill_daemon()
    until(lambda: shows(session.screen.picture("away"), percent, is_grey=True), "a greyed-out list")
    session.start_daemon()
    until(lambda: shows(session.screen.picture("back"), percent), "the list again")
    # The signals of the new one are followed too.
    tasks.api("ResumeTask", path)
    further = run_until(tasks, path, percent + 10)
    until(lambda: shows(session.screen.picture("further"), further), "a longer bar")


def cancels(session, tasks, notifications, path):
    session.screen.click(session.screen.picture("click").rows()[0].button)
    until(lambda: tasks.get(path, "Status") == "REVOKED", "REVOKED")
    until(lambda: not session.screen.picture("cancelled").rows()[0].can_cancel, "a row that has ended")
    check(not session.screen.picture("cancelled").rows()[0].is_grey, "the daemon went")
    until(lambda: notifications.seen, "a notification")
    check(notifications.seen[0][0] == "Half a list", f"notified: {notifications.seen}")


def opens(session, tasks):
    """A click on a row that has ended shows what came of it below, and another one hides that."""
    def gap():
        rows = session.screen.picture("opened").rows()
        return rows[1].bar.top - rows[0].bar.bottom

    session.submit("short.json", experiment("Short", 3, 0.01))
    until(lambda: tasks.get(tasks.named("Short"), "Status") == "SUCCESS", "SUCCESS")
    until(lambda: [row.button for row in session.screen.picture("ended").rows()] == [None] * 3, "it in the list")
    closed = gap()
    session.screen.click(session.screen.picture("click").rows()[0].bar)
    until(lambda: gap() > closed + 10, "an open row")
    session.screen.click(session.screen.picture("click").rows()[0].bar)
    until(lambda: gap() == closed, "a closed one")


def learns_what_it_missed(session, tasks, notifications):
    """The daemon restarts and the task ends while the program takes nothing in."""
    session.submit("missed.json", experiment("Missed", 1, 3600))
    until(lambda: [row.can_cancel for row in session.screen.picture("two").rows()] == [True, False],
          "a second row, above the first")
    path = tasks.named("Missed")
    session.program.send_signal(signal.SIGSTOP)
    session.kill_daemon()
    session.start_daemon()
    tasks.call(PATH, NAME + ".Manager", "CancelTask", GLib.Variant("(o)", (path,)))
    session.program.send_signal(signal.SIGCONT)
    until(lambda: [(row.is_grey, row.can_cancel) for row in session.screen.picture("missed").rows()] ==
          [(False, False), (False, False)], "both ended")
    until(lambda: len(notifications.seen) == 2, "a second notification")
    check(notifications.seen[1][0] == "Missed", f"notified: {notifications.seen}")


def refuses(session):
    """What is wrong is said, and leaves the program as it was."""
    def said(text):
        with open(os.path.join(session.folder, "elluminate-desktop.log"), encoding="utf-8") as log:
            return text in log.read()

    for name, text, complaint in (
            ("wrong.json", '{"name": "Wrong", "n_epochs": 0}', "n_epochs"),
            ("open.json", '{"name": /* "Wrong"', "a value expected")):
        session.submit(name, text)
        until(lambda: said(complaint), complaint)
    session.hand_over(os.path.join(session.folder, "nothing.json"))
    until(lambda: said("nothing.json"), "a file that is not there")
    check(len(session.screen.picture("refused").rows()) == 2, "a row too many")
    check(session.program.poll() is None, "the program has ended")


def run(options):
    session = Session(options)
    try:
        session.start_bus()
        session.start_screen()
        tasks = Tasks(session.bus)
        notifications = Notifications(session.bus)
        starts_without_a_daemon(session)
        path = shows_progress(session, tasks)
        survives_a_restart(session, tasks, path)
        cancels(session, tasks, notifications, path)
        learns_what_it_missed(session, tasks, notifications)
        refuses(session)
        opens(session, tasks)
    except BaseException:
        session.logs()
        raise
    finally:
        session.stop()


if __name__ == "__main__":
    if not os.access(PROGRAM, os.X_OK):
        sys.exit("desktop_test: the desktop example was not built: libgtk-3-dev is missing")
    run([])
    run(["--system"])
