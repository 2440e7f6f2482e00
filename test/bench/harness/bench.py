"""What a member of the bench gets to work with.

A member is a file in test/bench/members/ with

    TITLE = "what is measured"
    SETTINGS = {...}            (settings of the server, if it wants others)
    def run(bench): ...

Its run() prepares tables through bench.cluster, hands the variants to
bench.interleave(), and writes tables and goals to bench.report.

Terms
    variant     one way to do the job, a function that does it once and returns
                a number or a dict of numbers (one a metric)
    round       every variant once, in the order given; the next round starts
                over, so a slow minute of the machine hits all variants alike
    sample      what one variant returned in one round
    yardstick   the variant that ratios refer to
    ratio       taken within each round; the median of those is shown, never a
                quotient of two medians from different moments
"""
import os
import statistics
import sys
from dataclasses import dataclass

from . import BenchError
from .cluster import execute


@dataclass(frozen=True)
class Settings:
    scale: float
    rounds: int

    @classmethod
    def from_environment(cls):
        try:
            scale = float(os.environ.get("BENCH_SCALE") or "1")
            rounds = int(os.environ.get("BENCH_ROUNDS") or "5")
        except ValueError as error:
            raise BenchError(f"BENCH_SCALE and BENCH_ROUNDS are numbers: {error}") from error
        if not 0 < scale < float("inf") or rounds < 1:
            raise BenchError("BENCH_SCALE must be above 0 and BENCH_ROUNDS at least 1")
        return cls(scale, rounds)


class Series(list):
    """Samples of one variant, one a round."""

    @property
    def median(self):
        return statistics.median(self)

    def combine(self, other, function):
        """A series of function(ours, theirs), round by round."""
        return Series(function(ours, theirs) for ours, theirs in zip(self, other, strict=True))

    def minus(self, other):
        return self.combine(other, lambda ours, theirs: ours - theirs)

    def over(self, other):
        return self.combine(other, lambda ours, theirs: ours / theirs)


class Bench:
    """One member's run."""

    def __init__(self, root, server, cluster, settings, report):
        self.root = root
        self.server = server
        self.cluster = cluster
        self.settings = settings
        self.report = report

    def rows(self, full_size, least=50):
        """A row count, scaled."""
        return max(least, round(full_size * self.settings.scale))

    def duration(self, full_size):
        """Whole seconds, scaled."""
        return max(1, round(full_size * self.settings.scale))

    @staticmethod
    def execute(command):
        """Runs a program and returns what it prints."""
        return execute(command)

    def interleave(self, what, variants):
        """Runs {name: function} round by round.

        Returns {name: Series}, or {name: {metric: Series}} when the functions
        return dicts.
        """
        samples = {name: [] for name in variants}
        for number in range(1, self.settings.rounds + 1):
            for name, function in variants.items():
                print(f"bench: {what}: round {number} of {self.settings.rounds}: {name}",
                      file=sys.stderr)
                samples[name].append(function())
        return {name: _series(list_of) for name, list_of in samples.items()}


def _series(samples):
    if isinstance(samples[0], dict):
        return {metric: Series(sample[metric] for sample in samples) for metric in samples[0]}
    return Series(samples)
