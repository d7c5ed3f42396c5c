"""Ours and pandas' runs of a stage in turn, and rows of what they took; both must come to the same."""
import json
import subprocess

from rows import Row, median, spread


class Stages:
    """`task` is one of pipeline_stages'."""

    def __init__(self, options, pandas, task, sums):
        self.program = options.build / "tests" / "pipeline_stages"
        self.pandas, self.task, self.sums = pandas, task, sums

    def ours(self, arguments):
        answer = subprocess.run([self.program, self.task, *map(str, arguments)], capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            raise RuntimeError(answer.stderr)
        return json.loads(answer.stdout)

    def compare(self, ours, theirs):
        for name, tolerance in self.sums.items():
            if abs(ours[name] - theirs[name]) > tolerance * abs(theirs[name]):
                raise RuntimeError(f"ours and pandas differ: {name} is {ours[name]}, not {theirs[name]}")

    def measure(self, case, arguments, rounds, peer_rounds, why_no_peer=""):
        """`why_no_peer`: "" where pandas runs too."""
        ours, theirs = [], []
        why_no_peer = why_no_peer or self.pandas.missing
        for turn in range(rounds):
            ours.append(self.ours(arguments))
            if not why_no_peer and turn < peer_rounds:
                theirs.append(self.pandas.run(self.task, arguments))
                self.compare(ours[-1], theirs[-1])
        peer = why_no_peer or self.pandas.NAME
        for key, measure, unit in (("seconds", "time", "s"), ("cpu_seconds", "CPU time", "s"),
                                   ("peak_mib", "peak memory", "MiB")):
            values = [run[key] for run in ours]
            peers = [run[key] for run in theirs]
            note = f"{ours[0]['rows']:,} rows; {spread(values)}" + (f"; peer {spread(peers)}" if peers else f"; {peer}")
            yield Row(case, measure, unit, median(values), peer, median(peers) if peers else None, True, note)
