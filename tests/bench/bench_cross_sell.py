"""Seconds and memory from cleaned rows to cross-sell lists, beside the merge of the replaced service; and how both grow."""
import csv
import re
from collections import Counter

import golden
import peer
from rows import Row
from stages import Stages

TARGETS = ["pipeline_stages"]
DATA = "online_retail"
# name, copies of all users, only each n-th user
CASES = [("a quarter of the users", 1, 4), ("Online Retail", 1, 1), ("twice", 2, 1), ("four times", 4, 1)]
QUICK = CASES[:2]
BYTES_A_MERGED_ROW = 133  # measured on the quarter
SUMS = {"rows": 0, "merge_rows": 0, "pairs": 0, "lists": 0, "items": 0, "weight_sum": 1e-9}


def merged_rows(path):
    """About: before thresholds, and without those that are outliers' by a day."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    days = Counter((row["user_uid"], int(row["created"]) // 86400) for row in rows)
    removed = {user for (user, _), count in days.items() if count > 150}
    users = Counter(row["user_uid"] for row in rows if row["user_uid"] not in removed)
    return sum(count * count for count in users.values())


def free_bytes():
    with open("/proc/meminfo", encoding="ascii") as file:
        return int(re.search(r"MemAvailable:\s+(\d+)", file.read())[1]) * 1024


def why_no_peer(path, is_large):
    wanted = merged_rows(path) * BYTES_A_MERGED_ROW
    if is_large:
        return f"the merge would take {wanted / 2**30:.0f} GiB"
    free = free_bytes()
    return "" if wanted < free * 0.9 else f"the merge takes {wanted / 2**30:.0f} GiB, and {free / 2**30:.0f} are free"


def measure(options, folder):
    root, missing = golden.folder(options.source)
    if not root:
        print(f"skipped: {missing}")
        return []
    pandas = peer.Pandas(options.source)
    stages = Stages(options, pandas, "cross-sell", SUMS)
    products = folder / "products"
    golden.write_recommendable(root, DATA, products)
    rows, seconds = [], {}
    for name, copies, share in QUICK if options.quick else CASES:
        if options.only and not any(text in name for text in options.only):
            continue
        print(name, flush=True)
        path = folder / f"{copies}-{share}.csv"
        golden.write_interactions(root, DATA, path, copies, share)
        peer_rounds = 1 if options.quick or share == 1 else 3  # minutes and all memory for the whole
        rows += stages.measure(name, (path, products), 1 if options.quick else 5, peer_rounds, why_no_peer(path, copies > 1))
        seconds[copies / share] = rows[-2].value
        path.unlink()
    for copies, name in ((2, "twice"), (4, "four times")):
        if 1 in seconds and copies in seconds:
            rows.append(Row(name, "CPU time over rows", "x", seconds[copies] / seconds[1] / copies, "", None, True,
                            "of that of Online Retail; 1: it grows as the rows do"))
    return rows
