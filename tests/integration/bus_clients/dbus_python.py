"""dbus-python: submits, watches to the end, cancels. Usage: dbus_python.py REQUEST HANGING-REQUEST"""
import sys

import dbus
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib

NAME = "org.elluminate.Elluminate1"
PATH = "/org/elluminate/Elluminate1"

DBusGMainLoop(set_as_default=True)
bus = dbus.SessionBus()
manager = dbus.Interface(bus.get_object(NAME, PATH), NAME + ".Manager")
loop = GLib.MainLoop()
seen = {}


def on_status(sequence, status, hold, error, path):
    seen.setdefault(path, []).append((int(sequence), str(status)))
    loop.quit()


def run_until(path, wanted):
    GLib.timeout_add_seconds(30, sys.exit, 1)
    while wanted not in [status for _, status in seen.get(path, [])]:
        loop.run()
    sequences = [sequence for sequence, _ in seen[path]]
    assert sequences == sorted(set(sequences)), sequences


bus.add_signal_receiver(on_status, "StatusChanged", NAME + ".Task", NAME, path_keyword="path")
path = manager.RunExperiment(sys.argv[1], dbus.Dictionary(signature="sv"))
run_until(path, "SUCCESS")
path = manager.RunExperiment(sys.argv[2], {"priority": dbus.String("interactive", variant_level=1)})
assert path in manager.ListTasks(dbus.Dictionary(signature="sv"))
manager.CancelTask(path)
run_until(path, "REVOKED")
properties = dbus.Interface(bus.get_object(NAME, path), dbus.PROPERTIES_IFACE)
assert properties.Get(NAME + ".Task", "Status") == "REVOKED"
try:
    manager.CancelTask(PATH + "/task/99999")
    sys.exit("a task that is not there was cancelled")
except dbus.DBusException as error:
    assert error.get_dbus_name() == "org.elluminate.Error.NotFound", error
