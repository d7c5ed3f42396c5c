"""Hit rate and NDCG at 10 on MovieLens 1M, as "Neural Collaborative Filtering" (He et al. 2017) measures them: the last
film of each user among 99 that the user did not rate. Beside it what iALS reaches there (Rendle et al. 2022, table 5)."""
import array
import json
import os
import subprocess
from pathlib import Path

from rows import Row, mean

TARGETS = ["als_lists"]
DATA = "RECFLEET_ML_1M"
FILES = ("ml-1m.train.rating", "ml-1m.test.rating", "ml-1m.test.negative")
SEEDS = (1, 2, 3)
FACTORS, ITERATIONS = 192, 12
# The paper's: a cell without a rating weighs .3, lambda .007. With entries of confidence (1 + .3) / .3 and other cells of 1
# the same model has lambda .007 (1 + .3) / .3, and scores 1.3 times as large.
UNOBSERVED, REGULARIZATION = 0.3, 0.007
SCALE = (1 + UNOBSERVED) / UNOBSERVED
PUBLISHED = {"HR@10": 0.731, "NDCG@10": 0.454}


def read_rows(path):
    with open(path, encoding="utf-8") as file:
        return [line.rstrip("\n").split("\t") for line in file if line.strip()]


def write_matrix(path, users, items, cells):
    """cells: of each user the items with their values."""
    offsets, columns, values = array.array("q", [0]), array.array("i"), array.array("f")
    for user in range(users):
        for item, value in sorted(cells.get(user, {}).items()):
            columns.append(item)
            values.append(value)
        offsets.append(len(columns))
    with open(path, "wb") as file:
        array.array("Q", [users, items, len(columns)]).tofile(file)
        for part in (offsets, columns, values):
            part.tofile(file)


def read_data(root):
    """The matrices of what is known and of what is ranked; users and items are numbers there."""
    known, ranked = {}, {}
    for user, item, *_ in read_rows(root / FILES[0]):
        known.setdefault(int(user), {})[int(item)] = 1
    for user, item, *_ in read_rows(root / FILES[1]):
        ranked[int(user)] = {int(item): 2}
    for place, (pair, *others) in enumerate(read_rows(root / FILES[2])):
        user, item = map(int, pair.strip("()").split(","))
        if ranked.get(user) != {item: 2}:
            raise RuntimeError(f"{FILES[2]}, line {place + 1}: {pair} is not what {FILES[1]} holds out of user {user}")
        ranked[user].update((int(other), 1) for other in others if int(other) != item)
    users = 1 + max(known | ranked)
    items = 1 + max(item for cells in (known, ranked) for row in cells.values() for item in row)
    if len(ranked) != users:
        raise RuntimeError(f"{FILES[1]} holds something out of {len(ranked)} of {users} users")
    return users, items, known, ranked


def measure(options, folder):
    root = Path(os.environ.get(DATA, ""))
    missing = [name for name in FILES if not (root / name).is_file()] if DATA in os.environ else FILES
    if missing:
        print(f"movielens: skipped: {DATA} names no folder with {', '.join(missing)}")
        return []
    users, items, known, ranked = read_data(root)
    train, candidates = folder / "train", folder / "candidates"
    write_matrix(train, users, items, known)
    write_matrix(candidates, users, items, ranked)
    runs = []
    for seed in SEEDS[:1] if options.quick else SEEDS:
        answer = subprocess.run(
            [options.build / "tests" / "als_lists", "ranks", train, candidates, "frequency", str(FACTORS),
             str(REGULARIZATION * SCALE), str(SCALE), str(ITERATIONS), str(seed), str(min(2, os.cpu_count()))],
            capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            raise RuntimeError(f"als_lists: {answer.stderr}")
        runs.append(json.loads(answer.stdout))
    case = f"ML-1M, {users:,} users x {items:,} films, f = {FACTORS}"
    rows = []
    for measure_name, key in (("HR@10", "hit_rate"), ("NDCG@10", "ndcg")):
        values = [steps[-1][key] for steps in runs]
        rows.append(Row(case, measure_name, "", mean(values), "iALS, published", PUBLISHED[measure_name],
                        note=f"{min(values):.4f} to {max(values):.4f} over {len(values)} seeds"))
    return rows + [Row(case, f"{ITERATIONS} iterations", "s", mean([sum(step["seconds"] for step in steps) for steps in runs]),
                       "none: published without seconds", smaller_is_better=True)]
