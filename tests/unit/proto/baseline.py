"""baseline.py MODEL BASELINE VERSION [--renew]: what programs were built against stays as it was.

MODEL is the interface as elluminate-idl prints it, BASELINE the interface as the last release had it (or as it is
meant to be in the first). Fields are only appended, and what is appended is nullable; nothing goes, and no
number, value or type becomes another. What came later than BASELINE's release says so with `since`.

After a release, and while there is none yet after any change that this refuses, renew the baseline:

    python3 tests/unit/proto/baseline.py build/proto/generated/interface.json proto/interface/baseline.json 0.1.0 --renew
"""

import copy
import json
import sys


def fields_of(fields):
    return [
        [f["name"], f["type"] + " " + f.get("container", "one"), bool(f.get("nullable")), f.get("since", "")]
        for f in fields
    ]


def summary(model, version):
    """What the rules are about."""
    found = {"version": version, "records": {}, "methods": {}, "errors": {}, "enums": {}}
    for interface in model["interfaces"]:
        if interface["name"] == "org.varlink.service":
            continue  # not ours to change
        found["enums"].update(interface["enums"])
        for t in interface["types"]:
            found["records"][t["name"]] = {"since": t.get("since", ""), "fields": fields_of(t["fields"])}
        for m in interface["methods"]:
            found["methods"][m["name"]] = {
                "since": m.get("since", ""),
                "replies": m["replies"],
                "http": f"{m['verb']} {m['path']}",
            }
            for part in ("request", "reply"):
                found["records"][f"{m['name']} {part}"] = {"fields": fields_of(m[part])}
        for e in interface["errors"]:
            found["errors"][e["name"]] = {"since": e.get("since", ""), "number": e["number"]}
            found["records"][f"error {e['name']}"] = {"fields": fields_of(e["fields"])}
    return found


def one_a_line(found):
    def text(value):
        return json.dumps(value, separators=(",", ":"), sort_keys=True)

    parts = [f'"version":{text(found["version"])}']
    for kind in ("enums", "errors", "methods", "records"):
        entries = ",\n".join(f"{text(name)}:{text(entry)}" for name, entry in sorted(found[kind].items()))
        parts.append(f'"{kind}":{{\n{entries}}}')
    return "{" + ",\n".join(parts) + "}\n"


def problems(now, then):
    is_later = now["version"] != then["version"]
    for kind in ("records", "methods", "errors", "enums"):
        for name in then[kind]:
            if name not in now[kind]:
                yield f"{name} is gone"
    for name, record in now["records"].items():
        old = then["records"].get(name, {"fields": []})["fields"]
        new = record["fields"]
        if name not in then["records"]:
            if is_later and record.get("since", "-") == "":
                yield f"{name} does not say `since`"
            continue
        if [f[:3] for f in new[: len(old)]] != [f[:3] for f in old]:
            yield f"{name}: its fields are not {[f[0] for f in old]} and what is behind them, with their types"
            continue
        for field, _, nullable, since in new[len(old) :]:
            if not nullable:
                yield f"{name}.{field} was appended and is not nullable"
            if is_later and not since:
                yield f"{name}.{field} does not say `since`"
    for name, method in now["methods"].items():
        for trait in ("replies", "http"):
            if name in then["methods"] and method[trait] != then["methods"][name][trait]:
                yield f"{name}: {trait} is {method[trait]} now"
        if name not in then["methods"] and is_later and not method["since"]:
            yield f"{name} does not say `since`"
    for name, error in now["errors"].items():
        if name in then["errors"] and error["number"] != then["errors"][name]["number"]:
            yield f"{name} has another number"
        if name not in then["errors"] and error["number"] in [e["number"] for e in then["errors"].values()]:
            yield f"{name} has the number of another"
        if name not in then["errors"] and is_later and not error["since"]:
            yield f"{name} does not say `since`"
    for name, values in then["enums"].items():
        for value in set(values) - set(now["enums"].get(name, [])):
            yield f"{name} has no {value}"


def changed(good, change):
    bad = copy.deepcopy(good)
    change(bad)
    return bad


def check_the_rules(good):
    """Each of these is refused, and what may change is not."""
    task = lambda model: model["records"]["Task"]["fields"]
    later = {**copy.deepcopy(good), "version": "9.9.0"}
    refused = [
        (good, lambda m: task(m).pop()),
        (good, lambda m: task(m).insert(0, ["new", "int one", True, ""])),
        (good, lambda m: task(m).append(["new", "int one", False, ""])),
        (good, lambda m: task(m)[0].__setitem__(1, "string one")),
        (good, lambda m: task(m)[0].__setitem__(2, True)),
        (good, lambda m: m["records"].pop("Task")),
        (good, lambda m: m["methods"].pop("GetTask")),
        (good, lambda m: m["methods"]["GetTask"].update(replies="late")),
        (good, lambda m: m["methods"]["GetTask"].update(http="GET /task")),
        (good, lambda m: m["errors"]["NotFound"].update(number=99)),
        (good, lambda m: m["enums"]["TaskStatus"].remove("TIMEOUT")),
        (later, lambda m: task(m).append(["new", "int one", True, ""])),
        (later, lambda m: m["methods"].update(New={"since": "", "replies": "one"})),
    ]
    allowed = [
        (good, lambda m: task(m).append(["new", "int one", True, ""])),
        (good, lambda m: m["methods"].update(New={"since": "", "replies": "one"})),
        (good, lambda m: m["enums"]["TaskStatus"].append("NEW")),
        (later, lambda m: task(m).append(["new", "int one", True, "9.9"])),
    ]
    for i, (base, change) in enumerate(refused):
        assert list(problems(changed(base, change), good)), f"{i} was not refused"
    for i, (base, change) in enumerate(allowed):
        assert not list(problems(changed(base, change), good)), f"{i} was refused"


with open(sys.argv[1]) as file:
    now = summary(json.load(file), sys.argv[3])
if "--renew" in sys.argv:
    with open(sys.argv[2], "w") as file:
        file.write(one_a_line(now))
    sys.exit()
with open(sys.argv[2]) as file:
    then = json.load(file)
check_the_rules(then)
found = list(problems(now, then))
for problem in found:
    print(problem, file=sys.stderr)
if found:
    sys.exit(__doc__)
