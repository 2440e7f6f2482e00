"""The measuring harness behind test/bench/run.

cluster.py  builds and installs the tree, runs a throw-away server, talks to it
bench.py    what a member gets: scaled sizes, interleaved rounds, samples
report.py   the markdown that comes out
"""


class BenchError(Exception):
    """A measurement that cannot be made; the message says why."""
