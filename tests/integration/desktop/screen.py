"""A display of its own, pictures of it, and the rows of the task list found in them.

GTK takes the style sheet below as the user's own, so each part that is looked for has a colour that
nothing else has, and the program needs no help for the test."""
import collections
import os
import subprocess

WIDTH, HEIGHT = 800, 600

STYLE = """
* { transition: none; animation: none; box-shadow: none; text-shadow: none; }
window { background: #ffff00; }
list label { background: #ff8000; }
progressbar trough, progressbar progress { border: none; border-radius: 0; margin: 0; padding: 0;
	min-width: 0; min-height: 20px; }
progressbar trough { background: #00ff00; }
progressbar progress { background: #ff00ff; }
progressbar:disabled trough { background: #008000; }
progressbar:disabled progress { background: #800080; }
list button { background: #0000ff; border: none; }
list button:disabled { background: #000080; }
"""


def pixel(red, green, blue):
    return int.from_bytes(bytes([red, green, blue, 255]), "little")


WINDOW = pixel(255, 255, 0)
LABEL = pixel(255, 128, 0)
TROUGH = pixel(0, 255, 0)
FILL = pixel(255, 0, 255)
GREY_TROUGH = pixel(0, 128, 0)
GREY_FILL = pixel(128, 0, 128)
BUTTON = pixel(0, 0, 255)
GREY_BUTTON = pixel(0, 0, 128)

# The first pixel, and the one after the last.
Box = collections.namedtuple("Box", "left top right bottom")

# A task in the picture; `is_solid`: fill and trough are one rectangle each, side by side.
Row = collections.namedtuple("Row", "bar filled is_solid is_grey name state button can_cancel")


class Picture:
    def __init__(self, file, environment):
        self.file = file
        subprocess.run(["import", "-window", "root", file], env=environment, check=True)
        data = subprocess.run(["convert", file, "-depth", "8", "rgba:-"], check=True,
                              stdout=subprocess.PIPE).stdout
        pixels = memoryview(data).cast("I")
        self.lines = [pixels[y * WIDTH:(y + 1) * WIDTH].tolist() for y in range(HEIGHT)]

    def count(self, colours, box):
        return sum(line[box.left:box.right].count(colour)
                   for line in self.lines[box.top:box.bottom] for colour in colours)

    def find(self, colours, within=Box(0, 0, WIDTH, HEIGHT)):
        """The smallest box around all pixels of these colours; None without one."""
        found = None
        for y in range(within.top, within.bottom):
            line = self.lines[y][within.left:within.right]
            xs = [x for x, colour in enumerate(line, within.left) if colour in colours]
            if xs and found:
                found = Box(min(found.left, xs[0]), found.top, max(found.right, xs[-1] + 1), y + 1)
            elif xs:
                found = Box(xs[0], y, xs[-1] + 1, y + 1)
        return found

    def rows(self):
        """Of the list, from the top: wherever lines with a bar are."""
        bars = {TROUGH, FILL, GREY_TROUGH, GREY_FILL}
        rows, top = [], None
        for y, line in enumerate(self.lines):
            if not bars.isdisjoint(line):
                top = y if top is None else top
            elif top is not None:
                rows.append(self.row(bars, top, y))
                top = None
        return rows

    def row(self, bars, top, bottom):
        bar = self.find(bars, Box(0, top, WIDTH, bottom))
        filled = self.find({FILL, GREY_FILL}, bar)
        empty = self.find({TROUGH, GREY_TROUGH}, bar)
        is_solid = all(part is None or (part.right - part.left) * (part.bottom - part.top) ==
                       self.count(bars, part) for part in (filled, empty)) and (
            filled is None or empty is None or filled.right == empty.left)
        button = self.find({BUTTON, GREY_BUTTON}, Box(bar.right, top, WIDTH, bottom))
        end = button.left if button else WIDTH
        return Row(bar=bar, filled=filled.right - filled.left if filled else 0, is_solid=is_solid,
                   is_grey=self.count({TROUGH, FILL}, bar) == 0,
                   name=self.find({LABEL}, Box(0, top, bar.left, bottom)),
                   state=self.find({LABEL}, Box(bar.right, top, end, bottom)), button=button,
                   can_cancel=button is not None and self.count({BUTTON}, button) > 0)


class Screen:
    """Pictures are kept in `folder`, the last of each name."""

    def __init__(self, start, folder, environment):
        reading, writing = os.pipe()
        start(["Xvfb", "-displayfd", str(writing), "-screen", "0", f"{WIDTH}x{HEIGHT}x24",
               "-nolisten", "tcp", "-noreset"], environment, pass_fds=[writing])
        os.close(writing)
        with os.fdopen(reading) as display:
            self.display = ":" + display.readline().strip()
        if self.display == ":":
            raise RuntimeError("Xvfb does not come up")
        self.folder = folder
        self.environment = {**environment, "DISPLAY": self.display}

    def picture(self, name):
        return Picture(os.path.join(self.folder, name + ".png"), self.environment)

    def click(self, box):
        subprocess.run(["xdotool", "mousemove", str((box.left + box.right) // 2),
                        str((box.top + box.bottom) // 2), "click", "1"], env=self.environment,
                       check=True)
