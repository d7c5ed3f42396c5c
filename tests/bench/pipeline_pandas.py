#!/usr/bin/env python3
"""The pipeline's stages in pandas, as the replaced service has them: a merge of each user's rows with themselves for the
cross-sell; JSON on stdout as of pipeline_stages.

usage: pipeline_pandas.py cross-sell CSV PRODUCTS
       pipeline_pandas.py matrix CSV NOW

Run by the bench's own virtual environment (peer.py). Formulas are those of the golden data's README, steps 5 to 12.
"""
import json
import re
import sys
import time

import numpy as np
import pandas as pd
import scipy.sparse

WEIGHTS = {"purchase": 1.0, "initiate_checkout": 0.7, "add_to_cart": 0.5, "add_to_wishlist": 0.3, "content_view": 0.1}
DAY_S, SESSION_S, DECAY_DAYS = 86400, 43200, 25
LIST_SIZE, MINIMUM_WEIGHT = 18, 0.1


def peak_mib():
    with open("/proc/self/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) / 1024


def read(path):
    return pd.read_csv(path, dtype={"action": str, "user_uid": str}, keep_default_na=False)


def without_outliers(rows):
    per_day = rows.groupby(["user_uid", rows["created"] // DAY_S]).size()
    removed = per_day[per_day > 150].index.get_level_values(0).unique()
    return rows[~rows["user_uid"].isin(removed)]


def over_thresholds(rows, users, products):
    return rows["user_uid"].isin(users[users > 2].index) & rows["product_id"].isin(products[products > 4].index)


def cross_sell(path, products_path):
    allowed = set(map(int, open(products_path, encoding="ascii").read().split()))
    rows = read(path)
    count = len(rows)
    started, cpu_started = time.monotonic(), time.process_time()
    rows = without_outliers(rows)
    rows = rows[over_thresholds(rows, rows.groupby("user_uid").size(), rows.groupby("product_id").size())]
    rows = rows.assign(weight=rows["action"].map(WEIGHTS))[["user_uid", "product_id", "created", "weight"]]
    merged = rows.merge(rows, on="user_uid", suffixes=("_left", "_right"))
    merge_rows = len(merged)
    gap_s = merged["created_right"] - merged["created_left"]
    near = (gap_s >= 0) & (gap_s < SESSION_S) & ((gap_s > 0) | (merged["product_id_left"] != merged["product_id_right"]))
    merged, gap_s = merged[near], gap_s[near]
    merged = merged.assign(weight=merged["weight_right"] * np.exp(-((gap_s / DAY_S / DECAY_DAYS) ** 2)))
    weights = merged.groupby(["product_id_left", "product_id_right"], as_index=False)["weight"].sum()
    shown = weights[(weights["weight"] > MINIMUM_WEIGHT) & (weights["product_id_left"] != weights["product_id_right"])
                    & weights["product_id_right"].isin(allowed)]
    shown = shown.sort_values(["product_id_left", "weight"], ascending=[True, False]).groupby("product_id_left").head(LIST_SIZE)
    lists = shown.groupby("product_id_left")["product_id_right"].apply(list)
    seconds, cpu_seconds = time.monotonic() - started, time.process_time() - cpu_started
    return {"rows": count, "seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mib": peak_mib(), "merge_rows": merge_rows,
            "pairs": len(weights), "weight_sum": float(weights["weight"].sum()),
            "lists": int(weights["product_id_left"].nunique()), "items": int(lists.map(len).sum())}


def matrix(path, now_s):
    started, cpu_started = time.monotonic(), time.process_time()
    rows = read(path)
    count = len(rows)
    rows = without_outliers(rows.drop_duplicates(["id", "product_id"]))
    users, products = rows.groupby("user_uid").size(), rows.groupby("product_id").size()
    value = rows["action"].map(WEIGHTS) * np.exp(-((int(now_s) - rows["created"]) / DAY_S) / DECAY_DAYS)
    pairs = rows.assign(value=value).groupby(["user_uid", "product_id"])["value"].agg(["sum", "size"]).reset_index()
    pairs["value"] = pairs["sum"] * 0.8 ** (pairs["size"] - 1)
    pairs = pairs[over_thresholds(pairs, users, products)]
    user_codes, user_uids = pd.factorize(pairs["user_uid"], sort=True)
    product_codes, product_ids = pd.factorize(pairs["product_id"], sort=True)
    raw = pairs["value"].to_numpy()
    lengths = np.bincount(product_codes, raw)
    seen = np.bincount(user_codes)
    idf = np.maximum(0, np.log((len(product_ids) - seen + 0.5) / (seen + 0.5)))
    bm25 = raw * 2.2 / (1.2 * (0.7 + 0.3 * lengths[product_codes] / lengths.mean()) + raw) * idf[user_codes]
    values = scipy.sparse.csr_matrix((bm25.astype(np.float32), (user_codes, product_codes)))
    seconds, cpu_seconds = time.monotonic() - started, time.process_time() - cpu_started
    return {"rows": count, "seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mib": peak_mib(), "users": len(user_uids),
            "products": len(product_ids), "pairs": int(values.nnz), "raw_sum": float(raw.sum()), "bm25_sum": float(bm25.sum())}


if __name__ == "__main__":
    TASKS = {"cross-sell": cross_sell, "matrix": matrix}
    print(json.dumps(TASKS[sys.argv[1]](*sys.argv[2:])))
