"""Seconds and memory from the cache's table to the matrix, beside pandas; and how both grow."""
import made_shop
import peer
from rows import Row
from stages import Stages

TARGETS = ["pipeline_stages"]
NOW = 1767225600
# rows, users, products; the first is the shop's real size
CASES = [(1660000, 253000, 69000), (830000, 126500, 69000)]
QUICK = [(166000, 25300, 6900)]
SUMS = {"rows": 0, "users": 0, "products": 0, "pairs": 0, "raw_sum": 1e-9, "bm25_sum": 1e-9}


def measure(options, folder):
    stages = Stages(options, peer.Pandas(options.source), "matrix", SUMS)
    rows, seconds = [], []
    for size in QUICK if options.quick else CASES:
        name = "{:,} rows, {:,} users, {:,} products".format(*size)
        if options.only and not any(text in name for text in options.only):
            continue
        print(name, flush=True)
        path = folder / "interactions.csv"
        made_shop.write_interactions(path, NOW, *size)
        rounds = 1 if options.quick else 5
        rows += stages.measure(name, (path, NOW), rounds, rounds)
        seconds.append((size[0], rows[-2].value))
    if len(seconds) == 2:
        (large, large_s), (small, small_s) = seconds
        rows.append(Row(rows[0].case, "CPU time over rows", "x", large_s / small_s / (large / small), "", None, True,
                        f"of that of {small:,} rows; 1: it grows as the rows do"))
    return rows
