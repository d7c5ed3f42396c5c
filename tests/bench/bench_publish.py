"""Keys a second that the worker's sink writes to one Redis on loopback, beside redis-benchmark's SET of the like."""
import json
import subprocess

import servers
from rows import Row, median, spread

TARGETS = ["publish_load"]
PIPELINE = 1000  # SETs under way, as the sink has pairs in a chunk
VALUE = "[" + ",".join(str(38420 + k * 1373) for k in range(18)) + "]"
WEEK_S = 604800
# kind, what its keys live
CASES = {"homepage, 7 days": ("homepage", WEEK_S), "cross-sell, for ever": ("cross_sell", 0)}


def ask(port, *words):
    return subprocess.run(["redis-cli", "-p", str(port), *words], capture_output=True, text=True, check=True).stdout.strip()


def publish(options, port, kind, keys, ttl_s, fence):
    answer = subprocess.run([options.build / "tests" / "publish_load", f"redis://127.0.0.1:{port}", kind, str(keys), str(ttl_s),
                             str(fence)], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise RuntimeError(answer.stderr)
    found = json.loads(answer.stdout)
    if found["keys"] != keys or int(ask(port, "DBSIZE")) < keys:
        raise RuntimeError(f"{found['keys']} of {keys} keys were written")
    return found


def benchmark(port, keys, ttl_s):
    """One connection too. SETs a second."""
    life = ["EX", str(ttl_s)] if ttl_s else []
    answer = subprocess.run(
        ["redis-benchmark", "-p", str(port), "-c", "1", "-P", str(PIPELINE), "-n", str(keys), "-r", str(keys), "--csv",
         "SET", "Y3VzdG9tZXItMTI0__rand_int__=", VALUE, *life], capture_output=True, text=True, check=True)
    header, line = [line for line in answer.stdout.splitlines() if line.startswith('"')]
    return float(line.rsplit('","', header.count(","))[1])


def server_cpu_s(port):
    """Of the server so far."""
    found = dict(line.split(":") for line in ask(port, "INFO", "cpu").split() if line.startswith("used_cpu_"))
    return float(found["used_cpu_user"]) + float(found["used_cpu_sys"])


def measure_case(options, folder, kind, ttl_s, keys, rounds):
    """Of each round: keys a second into an empty Redis and over those keys, CPU microseconds a key."""
    found = {name: [] for name in ("first", "again", "sink", "server", "peer", "peer server")}
    for turn in range(rounds):
        with servers.redis(folder, keeps=False) as port:
            before = server_cpu_s(port)
            first = publish(options, port, kind, keys, ttl_s, 2 * turn + 1)
            found["server"].append((server_cpu_s(port) - before) / keys * 1e6)
            found["first"].append(keys / first["seconds"])
            found["sink"].append(first["cpu_seconds"] / keys * 1e6)
            found["again"].append(keys / publish(options, port, kind, keys, ttl_s, 2 * turn + 2)["seconds"])
        with servers.redis(folder, keeps=False) as port:
            before = server_cpu_s(port)
            found["peer"].append(benchmark(port, keys, ttl_s))
            found["peer server"].append((server_cpu_s(port) - before) / keys * 1e6)
    return found


def measure(options, folder):
    keys, rounds = (100000, 3) if options.quick else (250000, 9)
    peer = f"redis-benchmark -c 1 -P {PIPELINE}"
    rows = []
    for name, (kind, ttl_s) in CASES.items():
        print(name, flush=True)
        found = measure_case(options, folder, kind, ttl_s, keys, rounds)
        theirs, slower = median(found["peer"]), max(median(found["server"]), median(found["sink"]))
        rows += [Row(name, "keys", "/s", median(found["first"]), peer, theirs,
                     note=f"{spread(found['first'])}; peer {spread(found['peer'])}"),
                 Row(name, "keys, over those of the last run", "/s", median(found["again"]), peer, theirs,
                     note=spread(found["again"])),
                 Row(name, "CPU time of the server", "us/key", median(found["server"]), peer, median(found["peer server"]), True,
                     spread(found["server"])),
                 Row(name, "CPU time of the sink", "us/key", median(found["sink"]), "", None, True, spread(found["sink"])),
                 Row(name, "keys by CPU time", "/s", 1e6 / slower, "", None, note="with a core each for server and sink")]
    return rows
