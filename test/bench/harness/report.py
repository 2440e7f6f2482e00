"""The markdown report of one member."""
import ctypes
import ctypes.util
import datetime
import os
import pathlib
import platform
import re
import subprocess

# A difference of two times came out below zero: too few rows, or a busy machine.
NOISE = "lost in noise"


def number(value):
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    digits = max(0, 2 - _magnitude(value))
    return f"{value:,.{digits}f}"


def _magnitude(value):
    return int(f"{abs(value):.2e}".split("e")[1])


def spread(series, form=number):
    return f"{form(min(series))}–{form(max(series))}"


def ratio(series):
    """Median and spread of ratios taken round by round."""
    if all(one == 1 for one in series):
        return "1"
    if min(series) <= 0:
        return NOISE
    if len(series) == 1:
        return number(series.median)
    return f"{number(series.median)} ({spread(series)})"


class Report:
    def __init__(self, name, title, header):
        self.name = name
        self.text = [f"# {name}: {title}", ""]
        self.lines(*header)
        self.goals = []

    def lines(self, *lines):
        """A paragraph or list, as it stands."""
        self.text += [*lines, ""]

    def section(self, title):
        self.text += [f"## {title}", ""]

    def table(self, columns, rows):
        """The first column is text, the others are numbers or short words."""
        self.text.append("| " + " | ".join(columns) + " |")
        self.text.append("|---" + "|---:" * (len(columns) - 1) + "|")
        self.text += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
        self.text.append("")

    def goal(self, what, value, limit, at_most=True):
        """Notes a goal and what was measured; shown together at the end."""
        met = value <= limit if at_most else value >= limit
        verdict = NOISE if value <= 0 else "met" if met else "**missed**"
        self.goals.append([what, ("≤ " if at_most else "≥ ") + number(limit), number(value), verdict])

    def write(self, path):
        if self.goals:
            self.section("Goals")
            self.table(["goal", "limit", "measured", ""], self.goals)
            self.goals = []
        self.lines(f"Load average at the end: {load_average()}.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(self.text), encoding="utf-8")
        return path


def machine_lines(server, root, settings):
    """What must be known of machine and versions to judge a number."""
    now = datetime.datetime.now(datetime.timezone.utc)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    facts = {
        "date": now.strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _output("git", "-C", root, "-c", f"safe.directory={root}", "describe",
                          "--always", "--dirty"),
        "processor": f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GB",
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "server": server.ask("--version"),
        "libraries": f"libsodium {_library_version('sodium', 'sodium_version_string')}, "
                     f"OpenSSL {_openssl_version()}",
        "compiler": _output("cc", "--version").split("\n", maxsplit=1)[0],
        "size": f"scale {settings.scale:g}, {settings.rounds} rounds",
        "load average at the start": load_average(),
    }
    lines = [f"* {name}: {value}" for name, value in facts.items()]
    # Up to 1 is the member that ran before, or the build.
    if os.getloadavg()[0] > (os.cpu_count() + 1) / 2:
        lines += ["", "**The machine was busy: trust ratios with a narrow spread, and no time.**"]
    return lines


def load_average():
    return " ".join(f"{load:.2f}" for load in os.getloadavg())


def _output(*command):
    done = subprocess.run([str(word) for word in command], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def _processor():
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return platform.machine()
    found = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    return found.group(1) if found else platform.machine()


def _library_version(library, function, *arguments):
    path = ctypes.util.find_library(library)
    if path is None:
        return "unknown"
    version = getattr(ctypes.CDLL(path), function)
    version.restype = ctypes.c_char_p
    return version(*arguments).decode()


def _openssl_version():
    return _library_version("crypto", "OpenSSL_version", 0).removeprefix("OpenSSL ")
