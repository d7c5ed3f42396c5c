"""What lists are worth on held-out pairs: both profiles and the baselines; seconds to 95 % of a model's best NDCG@10."""
import json
import os
import subprocess

import golden
import peer
from rows import Row, mean, spread

TARGETS = ["als_lists", "als_train"]
SEEDS = (1, 2, 3)
SHARE = 0.95
# solver, regularization, alpha, iterations
PROFILES = {"quality": ("exact", 30, 800, 8), "service": ("cg", 0.005, 800, 35)}
BASELINES = ("popularity", "item_cosine", "ease")


class Bench:
    def __init__(self, options, folder, root):
        self.program = options.build / "tests" / "als_lists"
        self.folder, self.golden = folder, root
        self.factors = 128 if options.quick else 800
        self.seeds = SEEDS[:1] if options.quick else SEEDS
        self.threads = min(2, os.cpu_count())
        backend = subprocess.run([options.build / "tests" / "als_train", "kernels"], capture_output=True, text=True,
                                 check=True).stdout.strip()
        self.peer = peer.Peer(options.source, backend)
        print(f"ours: {backend}; the peer: {self.peer.missing or self.peer.text}", flush=True)

    def call(self, *arguments):
        answer = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            raise RuntimeError(f"als_lists: {answer.stderr}")
        return json.loads(answer.stdout)

    def split(self, data, kind):
        events = self.folder / data
        if not events.exists():
            golden.unpack_events(self.golden, data, events)
        files = [self.folder / f"{data}.{kind}.{part}" for part in ("train", "test")]
        shape = self.call("split", kind, events, *files)
        return files, "{users:,} users, {products:,} products, {train:,} pairs known, {test:,} held out".format(**shape)


def seconds_to_share(steps):
    best = max(step["ndcg"] for step in steps)
    seconds = 0
    for step in steps:
        seconds += step["seconds"]
        if step["ndcg"] >= SHARE * best:
            return seconds
    raise AssertionError("the best is reached at the best")


def list_rows(case, name, runs, note=""):
    for measure, key in (("P@10", "precision"), ("NDCG@10", "ndcg")):
        values = [steps[-1][key] for steps in runs]
        text = f"{min(values):.4f} to {max(values):.4f} over {len(values)} seeds" if len(values) > 1 else note
        yield Row(case, f"{name} {measure}", "", mean(values), "", None, note=text)


def measure_case(bench, data, kind):
    files, shape = bench.split(data, kind)
    case = f"{data} {kind}"
    print(f"{case}: {shape}", flush=True)
    baselines = bench.call("baselines", *files, bench.threads)
    for name in BASELINES:
        yield from list_rows(case, name, [[baselines[name]]])
    ours, theirs = {name: [] for name in PROFILES}, []
    for seed in bench.seeds:
        for name, (solver, regularization, alpha, iterations) in PROFILES.items():
            ours[name].append(bench.call("model", *files, solver, bench.factors, regularization, alpha, iterations,
                                         seed, bench.threads))
        if not bench.peer.missing:
            _, regularization, alpha, iterations = PROFILES["service"]
            theirs.append(bench.peer.run("lists", [*files, bench.factors, regularization, alpha, iterations, seed,
                                                   bench.threads]))
    for name, runs in ours.items():
        yield from list_rows(case, name, runs)
    yield from list_rows(case, peer.NAME, theirs) if theirs else ()
    seconds = [seconds_to_share(steps) for steps in ours["quality"]]
    their_seconds = [seconds_to_share(steps) for steps in theirs]
    yield Row(case, "to 95 % of its best NDCG@10", "s", mean(seconds), peer.NAME if theirs else bench.peer.missing,
              mean(their_seconds) if theirs else None, True, f"quality, f={bench.factors}; {spread(seconds)}")


def measure(options, folder):
    root, missing = golden.folder(options.source)
    if not root:
        print(f"skipped: {missing}")
        return []
    bench = Bench(options, folder, root)
    kinds = ("time",) if options.quick else ("time", "random")
    rows = []
    for data in golden.NAMES:
        for kind in kinds:
            if not options.only or any(text in f"{data} {kind}" for text in options.only):
                rows += measure_case(bench, data, kind)
    return rows
