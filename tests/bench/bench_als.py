"""How fast the exact solver trains and lists, beside `implicit` with the same BLAS kernels, data and threads."""
import json
import subprocess

import golden
import peer
from rows import Row, median

TARGETS = ["als_train"]
REGULARIZATION, ALPHA, PEER_ITERATIONS = 0.005, 800, 35
MOST_ITERATIONS = 60  # of ours, to the loss that the peer reached
# Users, items, entries, and the power that makes the age of a purchase of a random number: 1 spreads them evenly over the
# year (57 % of c <= 1), 2 has more of them of late, as Online Retail has (34 %; its own 29 %).
SYNTHETIC = {"20k x 8k x 400k": (20000, 8000, 400000, 1), "20k x 8k x 400k of late": (20000, 8000, 400000, 2),
             "50k x 20k x 280k": (50000, 20000, 280000, 1), "100k x 20k x 2.2M": (100000, 20000, 2200000, 1)}
FACTORS, THREADS = (64, 128, 256, 800), (1, 2)
QUICK = [("20k x 8k x 400k", 64, 2), ("20k x 8k x 400k", 128, 1), ("online_retail", 64, 2), ("retailrocket", 128, 2)]


def cases(options, available):
    every = QUICK if options.quick else [(data, factors, threads) for data in available for factors in FACTORS
                                         for threads in THREADS]
    for data, factors, threads in every:
        name = f"{data} f={factors} t={threads}"
        if data in available and (not options.only or any(text in name for text in options.only)):
            yield name, data, factors, threads


class Bench:
    def __init__(self, options, folder):
        self.program = options.build / "tests" / "als_train"
        self.folder = folder
        self.golden, self.no_golden = golden.folder(options.source)
        backend = subprocess.run([self.program, "kernels"], capture_output=True, text=True, check=True).stdout.strip()
        self.peer = peer.Peer(options.source, backend)
        self.rounds = 1 if options.quick else 3
        self.iterations = 3 if options.quick else 5
        print(f"ours: {backend}; the peer: {self.peer.missing or self.peer.text}", flush=True)

    def available(self):
        if not self.golden:
            print(f"online_retail, retailrocket: skipped: {self.no_golden}")
        return [*SYNTHETIC, *(golden.NAMES if self.golden else ())]

    def matrix(self, data):
        path = self.folder / data.replace(" ", "")
        if not path.exists() and data in SYNTHETIC:
            *sizes, age_power = map(str, SYNTHETIC[data])
            subprocess.run([self.program, "generate", *sizes, "1", path, age_power], check=True)
        elif not path.exists():
            golden.write_matrix(self.golden, data, path)
        return path

    def ours(self, data, factors, threads, iterations, alpha=ALPHA, loss=None, command="train"):
        target = [] if loss is None else [loss]
        answer = subprocess.run(
            [self.program, command, self.matrix(data), *map(str, (factors, REGULARIZATION, alpha, iterations, threads,
                                                                  *target))],
            capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            raise RuntimeError(f"als_train: {answer.stderr}")
        return json.loads(answer.stdout)

    def theirs(self, data, factors, threads, iterations, wants_loss=False):
        if self.peer.missing:
            return None
        return self.peer.run("train", [self.matrix(data), factors, REGULARIZATION, ALPHA, iterations, threads,
                                       *(["loss"] if wants_loss else [])])


def row(case, measure, unit, value, peer_values, missing, **more):
    theirs = median(peer_values) if peer_values else None
    return Row(case, measure, unit, value, peer.NAME if peer_values else missing, theirs, True, **more)


def measure_iterations(bench, case, data, factors, threads):
    ours, theirs = [], []
    for _ in range(bench.rounds):
        ours.append(bench.ours(data, factors, threads, bench.iterations))
        answer = bench.theirs(data, factors, threads, 2)
        theirs += [answer] if answer else []
    missing = bench.peer.missing
    yield row(case, "iteration", "s", median([step["seconds"] for run in ours for step in run["iterations"]]),
              [seconds for run in theirs for seconds in run["iterations"]], missing)
    yield row(case, "iteration, CPU", "s", median([step["cpu_seconds"] for run in ours for step in run["iterations"][1:]]),
              [seconds for run in theirs for seconds in run["cpu_seconds"]], missing, note="of all threads")
    yield row(case, "top-18 lists", "s", median([run["list_seconds"] for run in ours]),
              [run["list_seconds"] for run in theirs], missing)
    yield row(case, "peak memory", "MiB", median([run["peak_mib"] for run in ours]),
              [run["peak_mib"] for run in theirs], missing, note="of the process; the peer's has Python in it")
    low = [bench.ours(data, factors, threads, bench.iterations, alpha=1) for _ in range(bench.rounds)]
    yield Row(case, "iteration, alpha 1", "s", median([step["seconds"] for run in low for step in run["iterations"]]),
              "what a GPU of the replaced service trained with", None, True)


def measure_loss(bench, case, data, factors, threads):
    """The peer first: the loss that it reaches is where we have to come to. Its own loss is not in its time."""
    theirs = bench.theirs(data, factors, threads, PEER_ITERATIONS, wants_loss=True)
    if theirs is None:
        return
    for command, measure in (("train", "to the peer's loss"), ("accelerated", "to the peer's loss, accelerated")):
        steps = bench.ours(data, factors, threads, MOST_ITERATIONS, loss=theirs["loss"], command=command)["iterations"]
        seconds = sum(step["seconds"] for step in steps)
        note = f"{len(steps)} iterations to a loss of {theirs['loss']:.4g}"
        if steps[-1]["loss"] > theirs["loss"]:
            note = f"not reached: {steps[-1]['loss']:.6g} after {len(steps)} iterations, not {theirs['loss']:.6g}"
        yield row(case, measure, "s", seconds, [sum(theirs["iterations"])], "", note=note)


def measure(options, folder):
    bench = Bench(options, folder)
    rows = []
    for name, data, factors, threads in cases(options, bench.available()):
        print(name, flush=True)
        rows += measure_iterations(bench, name, data, factors, threads)
        if threads == max(THREADS):
            rows += measure_loss(bench, name, data, factors, threads)
    return rows
