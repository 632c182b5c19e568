"""A GIO proxy: submits, watches to the end, cancels. Usage: gio.py REQUEST HANGING-REQUEST [system]"""
import sys

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

NAME = "org.elluminate.Elluminate1"
PATH = "/org/elluminate/Elluminate1"
BUS = Gio.BusType.SYSTEM if sys.argv[3:] == ["system"] else Gio.BusType.SESSION


def proxy(path, interface):
    return Gio.DBusProxy.new_for_bus_sync(
        BUS, Gio.DBusProxyFlags.NONE, None, NAME, path, interface, None)


def watch(path, wanted, then=None):
    """Until the task's status is `wanted`; the proxy's own property must follow."""
    loop = GLib.MainLoop()
    task = proxy(path, NAME + ".Task")
    seen = []

    def on_properties(_proxy, _changed, _invalidated):
        status = task.get_cached_property("Status").unpack()
        seen.append(status)
        if status == wanted:
            loop.quit()

    task.connect("g-properties-changed", on_properties)
    GLib.timeout_add_seconds(30, loop.quit)
    if then:
        then()
    if task.get_cached_property("Status").unpack() != wanted:
        loop.run()
    assert task.get_cached_property("Status").unpack() == wanted, seen
    return task


manager = proxy(PATH, NAME + ".Manager")
assert manager.get_cached_property("Version"), "the manager has properties"
try:
    manager.call_sync("Call", GLib.Variant("(ss)", ("GetTask", '{"id": 999}')), 0, -1, None)
    raise AssertionError("a task that is not there")
except GLib.Error as error:
    assert error.message.endswith("NotFound: no task with the id 999"), error.message
(path,) = manager.call_sync(
    "RunExperiment", GLib.Variant("(sa{sv})", (sys.argv[1], {})), 0, -1, None).unpack()
task = watch(path, "SUCCESS")
assert proxy(path, NAME + ".Task").get_cached_property("PercentComplete").unpack() == 100.0

(path,) = manager.call_sync(
    "RunExperiment", GLib.Variant("(sa{sv})", (sys.argv[2], {})), 0, -1, None).unpack()
objects = Gio.DBusObjectManagerClient.new_for_bus_sync(
    BUS, Gio.DBusObjectManagerClientFlags.NONE, NAME, PATH, None, None, None)
assert objects.get_interface(path, NAME + ".Task"), "the object manager knows the task"
watch(path, "REVOKED",
      lambda: manager.call_sync("CancelTask", GLib.Variant("(o)", (path,)), 0, -1, None))
