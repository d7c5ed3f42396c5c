#!/usr/bin/env python3
"""The `implicit` library on one matrix, as als_train and als_lists do it; JSON on stdout.

usage: als_implicit.py kernels
       als_implicit.py train MATRIX FACTORS REGULARIZATION ALPHA ITERATIONS THREADS [loss]
       als_implicit.py lists TRAIN TEST FACTORS REGULARIZATION ALPHA ITERATIONS SEED THREADS

Run by its own virtual environment (peer.py), with OPENBLAS_CORETYPE and OPENBLAS_NUM_THREADS set.
"""
import json
import re
import sys
import time

import implicit
import numpy as np
import scipy.sparse
import threadpoolctl
from implicit.cpu import _als
from implicit.cpu.als import AlternatingLeastSquares

LIST, K = 18, 10


def read(path):
    with open(path, "rb") as file:
        rows, columns, nonzeros = (int(number) for number in np.fromfile(file, np.uint64, 3))
        offsets = np.fromfile(file, np.int64, rows + 1)
        indices = np.fromfile(file, np.int32, nonzeros)
        values = np.fromfile(file, np.float32, nonzeros)
    return scipy.sparse.csr_matrix((values, indices, offsets.astype(np.int32)), shape=(rows, columns))


def model(factors, regularization, alpha, iterations, threads, seed=42):
    return AlternatingLeastSquares(
        factors=int(factors), regularization=float(regularization), alpha=float(alpha), iterations=int(iterations),
        num_threads=int(threads), random_state=int(seed))


def kernels():
    libraries = [library for library in threadpoolctl.threadpool_info() if library["internal_api"] == "openblas"]
    texts = {f"OpenBLAS {library['version']} {library['architecture']}" for library in libraries}
    return {"implicit": implicit.__version__, "blas": sorted(texts)}


def peak_mib():
    with open("/proc/self/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) / 1024


def train(path, factors, regularization, alpha, iterations, threads, wants_loss=None):
    values = read(path)
    trained = model(factors, regularization, alpha, iterations, threads)
    seconds, cpu = [], [time.process_time()]

    def on_iteration(iteration, elapsed, loss):
        seconds.append(elapsed)
        cpu.append(time.process_time())

    trained.fit(values, show_progress=False, callback=on_iteration)
    loss = None
    if wants_loss:
        loss = _als.calculate_loss(float(alpha) * values, trained.user_factors, trained.item_factors,
                                   float(regularization), num_threads=int(threads))
    start = time.perf_counter()
    trained.recommend(np.arange(values.shape[0]), values, N=LIST, filter_already_liked_items=False)
    list_seconds = time.perf_counter() - start
    cpu_seconds = [after - before for before, after in zip(cpu[1:], cpu[2:])]  # the first has the transposing in it
    return {"iterations": seconds, "cpu_seconds": cpu_seconds, "loss": loss, "list_seconds": list_seconds, "peak_mib": peak_mib()}


def measure(trained, values, held_out):
    """P@10 and NDCG@10 over the users with a held-out pair (golden/README.md, Metrics)."""
    users = np.flatnonzero(np.diff(held_out.indptr))
    hits = possible = gain = 0
    gains = 1 / np.log2(np.arange(K) + 2)
    for first in range(0, len(users), 1000):
        some = users[first:first + 1000]
        scores = trained.user_factors[some] @ trained.item_factors.T
        known = values[some]
        scores[np.repeat(np.arange(len(some)), np.diff(known.indptr)), known.indices] = -np.inf
        lists = np.argsort(-scores, axis=1, kind="stable")[:, :K]
        for user, items in zip(some, lists):
            wanted = held_out.indices[held_out.indptr[user]:held_out.indptr[user + 1]]
            hit = np.isin(items, wanted)
            most = min(K, len(wanted))
            hits += hit.sum()
            possible += most
            gain += gains[hit].sum() / gains[:most].sum()
    return {"users": len(users), "precision": hits / possible, "ndcg": gain / len(users)}


def lists(train_path, test_path, factors, regularization, alpha, iterations, seed, threads):
    values, held_out = read(train_path), read(test_path)
    trained = model(factors, regularization, alpha, iterations, threads, seed)
    steps = []
    trained.fit(values, show_progress=False, callback=lambda iteration, elapsed, loss: steps.append(
        {"seconds": elapsed, **measure(trained, values, held_out)}))
    return steps


if __name__ == "__main__":
    task = {"kernels": kernels, "train": train, "lists": lists}[sys.argv[1]]
    print(json.dumps(task(*sys.argv[2:]), default=float))
