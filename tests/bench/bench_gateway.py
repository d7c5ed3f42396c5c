"""How many jobs a gateway takes, beside the store and the Redis that it writes each of them to."""
import contextlib
import json
import re
import resource
import socket
import subprocess
import time
import urllib.request

import servers
from rows import Row, median, spread

TARGETS = ["recfleet-gateway", "post_load", "store_load"]
KEY, QUEUE, CLIENTS, SHOPS = "bench-key", "train", 64, 10000
WARM_S, SECONDS = 0.3, 1.3  # with SHOPS and four types no more than 40,000 jobs can be live at once
REDIS, REST = 0, 1  # of two processors: the gateway with its clients, or redis-benchmark
STREAMS, IDLE, MEMORY_MIB = 1000, 2000, 200
TYPES = ("warehouse", "cross_sell", "hyperparameter_search", "homepage_and_similar_products")


class Gateway:
    def __init__(self, process, port, metrics_port):
        self.process, self.port, self.metrics_port = process, port, metrics_port

    def store_calls(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return {name: float(value)
                for name, value in re.findall(r'recfleet_store_calls_total\{operation="(\w+)"\} (\S+)', text)}

    def memory_mib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) / 1024


@contextlib.contextmanager
def gateway(options, folder, redis_port, store_url, settings=None):
    port, metrics_port = servers.free_port(), servers.free_port()
    with servers.scratch(folder) as own:
        shops = own / "shops.json"
        shops.write_text(json.dumps({f"shop-{i}": {} for i in range(SHOPS)}))
        environment = {
            "API_KEY": KEY, "LISTEN": "127.0.0.1", "PORT": str(port), "METRICS_LISTEN": f"127.0.0.1:{metrics_port}",
            "QUEUE_REDIS_URL": f"redis://127.0.0.1:{redis_port}", "QUEUE_NAME": QUEUE, "STORE_URL": store_url,
            "NAMESPACES_FILE": str(shops), "RATE_LIMIT_SUBMIT": "0", "RATE_LIMIT_READ": "0", "ENV": "Prod",
            **(settings or {})}
        with servers.server([options.build / "bin" / "recfleet-gateway"], port, own, environment) as process:
            servers.wait_until(lambda: '"store.ready"' in (log := (own / "log").read_text()) and '"queue.ready"' in log,
                               "the gateway has its queue and its store")
            yield Gateway(process, port, metrics_port)


def post(options, running, seconds, first=0, rate=0):
    """Idempotency keys, as redis-benchmark cannot do without: its random numbers fit no key together."""
    answer = subprocess.run(
        [options.build / "tests" / "post_load", "--port", str(running.port), "--key", KEY, "--clients", str(CLIENTS),
         "--seconds", str(seconds), "--rate", str(rate), "--shops", str(SHOPS), "--first", str(first), "--idempotent"],
        capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise RuntimeError(f"post_load: {answer.stdout}{answer.stderr}")
    return json.loads(answer.stdout)


@contextlib.contextmanager
def warm_gateway(options, folder, kind):
    """
    Gives it, and how many jobs it has: more than SHOPS for each type it cannot have, so each figure has its own. A store
    with a server of its own is one program more, and the kernel places them all.
    """
    redis, rest = (REDIS, REST) if kind == "sqlite" else (None, None)
    with servers.redis(folder, processor=redis) as redis_port, servers.on_processor(rest), \
            servers.store(kind, options.source, folder) as url, \
            gateway(options, folder, redis_port, url("jobs")) as running:
        yield running, post(options, running, WARM_S)["accepted"]


def measure_gateway(options, folder, kind):
    """Jobs a second, milliseconds at half that load, and how many documents a commit had."""
    with warm_gateway(options, folder, kind) as (running, jobs):
        before = running.store_calls()
        full = post(options, running, SECONDS, jobs)
        after = running.store_calls()
    with warm_gateway(options, folder, kind) as (running, jobs):
        half = post(options, running, SECONDS, jobs, full["per_second"] / 2)
    commits = after["insert_batch"] - before["insert_batch"]
    return full, half, max(1, round((after["insert"] - before["insert"]) / commits))


def measure_store(options, folder, kind, seconds, batch):
    with servers.store(kind, options.source, folder) as url:
        answer = subprocess.run([options.build / "tests" / "store_load", url("peer"), str(batch), str(seconds)],
                                capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)["per_second"]


def measure_redis(options, folder, seconds):
    script = (options.source / "common" / "job" / "scripts" / "enqueue.lua").read_text()
    number = "__rand_int__"
    key = f"q:{{{QUEUE}}}:"
    shop = "shop-1234"  # in the arguments, as long as the gateway's: from 64 bytes on Redis keeps a job as a hash table
    command = ["7", f"{key}idem:{number}{'0' * 52}", f"{key}u:cross_sell:shop-{number}", f"{key}j:01BENCH0000000{number}",
               f"{key}s", f"{key}open", f"{key}delay", f"{key}ev", f"01BENCH0000000{number}", "cross_sell",
               f'{{"params":{{"namespace":"{shop}"}},"namespace":"{shop}"}}', "default", "2", "3", "0",
               "86400000", "f" * 64, f"{key}j:", "0"]
    with servers.redis(folder, processor=REDIS) as port:
        sha = subprocess.run(["redis-cli", "-p", str(port), "-x", "SCRIPT", "LOAD"], input=script.removesuffix("\n"),
                             capture_output=True, text=True, check=True).stdout.strip()

        def run(count):
            with servers.on_processor(REST):
                answer = subprocess.run(
                    ["redis-benchmark", "-p", str(port), "-c", str(CLIENTS), "-n", str(count), "-r", "1000000000", "--csv",
                     "EVALSHA", sha, *command], capture_output=True, text=True, check=True)
            header, line = [line for line in answer.stdout.splitlines() if line.startswith('"')]
            return float(line.rsplit('","', header.count(","))[1])  # the command in front has quotes of its own

        rate = run(2000)
        rate = run(max(2000, int(rate * seconds)))
        live = subprocess.run(["redis-cli", "-p", str(port), "ZCARD", f"{key}open"], capture_output=True, text=True,
                              check=True).stdout
        if int(live) < 2000:
            raise RuntimeError(f"redis-benchmark enqueued {live.strip()} jobs")
        return rate


def measure_throughput(options, folder, kind):
    case = f"{CLIENTS} clients, {'SQLite' if kind == 'sqlite' else 'SecantusDB'}"
    rounds = 2 if options.quick else 7
    ours, store, redis, p99, half_load, batches = [], [], [], [], [], []
    for _ in range(rounds):
        full, half, batch = measure_gateway(options, folder, kind)
        ours.append(full["per_second"])
        p99.append(half["p99_ms"])
        half_load.append(half["per_second"])
        batches.append(batch)
        store.append(measure_store(options, folder, kind, SECONDS, batch))
        redis.append(measure_redis(options, folder, SECONDS))
    inserts, enqueues = median(store), median(redis)
    peer = f"store's own inserts, {median(batches):.0f} a commit" if inserts <= enqueues else "redis-benchmark"
    return [Row(case, "accepted POST", "/s", median(ours), peer, min(inserts, enqueues), note=spread(ours)),
            Row(case, "beside inserts alone", "/s", median(ours), "inserts", inserts, note=spread(store)),
            Row(case, "beside EVALSHA alone", "/s", median(ours), "redis-benchmark", enqueues, note=spread(redis)),
            Row(case, "p99 at half load", "ms", median(p99), "none: no other gateway", smaller_is_better=True,
                note=f"at {median(half_load):,.0f}/s; {spread(p99)}")]


def ask(port, text):
    client = socket.create_connection(("127.0.0.1", port), timeout=10)
    client.sendall(text.encode())
    return client


def submit(running):
    """The id of a job that waits, since no worker is there."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{running.port}/v1/jobs", method="POST", data=b'{"type":"cross_sell","params":{"namespace":"shop-0"}}',
        headers={"X-API-KEY": KEY, "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())["id"]


def cancel_and_time(running, job, streams):
    """Milliseconds until the last stream has the event, and how many have it."""
    begin = time.monotonic()
    ask(running.port, f"POST /v1/jobs/{job}/cancel HTTP/1.1\r\nHost: x\r\nX-API-KEY: {KEY}\r\nContent-Length: 0\r\n\r\n").close()
    told = 0
    for stream in streams:
        text = b""
        while b"cancelled" not in text and (piece := stream.recv(65536)):
            text += piece
        told += b"cancelled" in text
    return (time.monotonic() - begin) * 1000, told


def measure_memory(options, folder):
    case = f"{STREAMS:,} event streams, {IDLE:,} idle connections"
    wanted = STREAMS + IDLE + 200
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard) if hard > 0 else wanted, hard))
    settings = {"MAX_CONNECTIONS": str(wanted), "MAX_EVENT_STREAMS": str(STREAMS)}
    with servers.redis(folder) as redis_port, servers.store("sqlite", options.source, folder) as url, \
            gateway(options, folder, redis_port, url("jobs"), settings) as running, contextlib.ExitStack() as clients:
        job = submit(running)
        idle = [clients.enter_context(ask(running.port, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")) for _ in range(IDLE)]
        streams = [clients.enter_context(ask(
            running.port, f"GET /v1/jobs/{job}/events HTTP/1.1\r\nHost: x\r\nX-API-KEY: {KEY}\r\n\r\n")) for _ in range(STREAMS)]
        for client in idle + streams:
            if not client.recv(65536).startswith(b"HTTP/1.1 200"):
                raise RuntimeError("a connection is not answered 200")
        took_ms, told = cancel_and_time(running, job, streams)
        memory = running.memory_mib()
    if told != STREAMS:
        raise RuntimeError(f"{told} of {STREAMS} streams told of the cancel")
    return [Row(case, "memory at most", "MiB", memory, "limit", MEMORY_MIB, smaller_is_better=True),
            Row(case, "an event until the last has it", "ms", took_ms, "none: no other gateway", smaller_is_better=True)]


def measure(options, folder):
    rows = measure_throughput(options, folder, "sqlite")
    if servers.mongo_program(options.source):
        rows += measure_throughput(options, folder, "mongodb")
    else:
        print("no MongoDB-protocol server secantusd-py: tests/run installs it")
    return rows + measure_memory(options, folder)
