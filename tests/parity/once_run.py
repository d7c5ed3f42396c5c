"""One job by `recfleet-worker --once` on golden data, beside a redis-server and the stand-in CMS or a folder's export.

Reads RECFLEET_BIN, RECFLEET_SOURCE and RECFLEET_SHARED.
"""
import contextlib
import json
import lzma
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NOW = 1767225600
faults = []


def check(holds, text):
    print(("ok   " if holds else "FAIL ") + text)
    if not holds:
        faults.append(text)


def end():
    sys.exit(1 if faults else 0)


def read_text(folder, name):
    plain = folder / name
    return plain.read_text() if plain.exists() else lzma.decompress((folder / (name + ".xz")).read_bytes()).decode()


def data_set(name):
    """The folder of a golden data set; ends the test as skipped where there is none."""
    shared = os.environ.get("RECFLEET_SHARED")
    if not shared:
        print("skipped: no golden data (RECFLEET_SHARED is not set)")
        sys.exit(77)
    return Path(shared) / "golden" / name


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Redis:
    """Just enough of the protocol to read back what was published."""

    def __init__(self, port):
        self.file = socket.create_connection(("127.0.0.1", port)).makefile("rwb")

    def reply(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2].decode()
        if kind == b"-":
            raise RuntimeError(rest.decode())
        return int(rest) if kind == b":" else rest.decode()

    def ask(self, *words):
        parts = [str(word).encode() for word in words]
        self.file.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        self.file.flush()
        return self.reply()


def start_redis(folder):
    port = free_port()
    server = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder],
                              stdout=subprocess.DEVNULL)
    for _ in range(200):
        try:
            Redis(port).ask("PING")
            return server, port
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("redis-server does not answer")


def unpack(inputs, export):
    export.mkdir()
    for name in ("events.jsonl", "products.json"):
        (export / name).write_text(read_text(inputs, name))
    return f"file:{export}"


class Run:
    def __init__(self, job_type, folder, url, redis_port):
        self.type, self.folder, self.url, self.redis_port = job_type, Path(folder), url, redis_port
        self.dump = self.folder / "dump"
        # pipeline.md, Parity runs: activities never served, and what a dump has all of
        self.not_comparable = {"activity_lines", "weights_written_every_nth_row"}
        if url.startswith("file:"):
            self.not_comparable.add("pages")

    def redis(self):
        return Redis(self.redis_port)

    def once(self, params):
        """Runs the job; its seconds."""
        environment = {"PATH": os.environ["PATH"], "API_URL": self.url, "BEARER_TOKEN": "secret", "API_NAMESPACE": "shop",
                       "QUEUE_REDIS_URL": f"redis://127.0.0.1:{self.redis_port}",
                       "CACHE_URL": f"file:{self.folder}/cache", "STORE_URL": f"sqlite:{self.folder}/store.db"}
        words = [os.environ["RECFLEET_BIN"] + "/recfleet-worker", "--once", self.type]
        for name, value in params.items():
            words += ["--param", f"{name}={value}"]
        started = time.monotonic()
        done = subprocess.run(words + ["--dump", self.dump], env=environment, cwd=self.folder, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"--once ended with {done.returncode}: {done.stderr[-2000:]}")
        return time.monotonic() - started

    def compare_counts(self, golden, sections, known):
        """`known` has what differs from golden on purpose; None: not compared."""
        ours = json.loads((self.dump / "counts.json").read_text())
        for section in sections:
            for name, value in golden[section].items():
                value = known.get(name, value)
                if name in self.not_comparable or value is None:
                    continue
                if ours[section].get(name) != value:
                    check(False, f"counts.json {section}.{name}: {ours[section].get(name)}, expected {value}")
        check(not faults, f"every count of counts.json is equal: {', '.join(sections)}")


@contextlib.contextmanager
def golden_run(job_type, inputs, from_folder):
    with tempfile.TemporaryDirectory() as folder:
        redis_server, redis_port = start_redis(folder)
        processes = [redis_server]
        try:
            if from_folder:
                url = unpack(inputs, Path(folder) / "export")
            else:
                processes.append(subprocess.Popen(
                    [os.environ["RECFLEET_SOURCE"] + "/tests/support/cms", "--data", str(inputs), "--port", "0"],
                    stdout=subprocess.PIPE, text=True))
                url = "http://127.0.0.1:" + processes[-1].stdout.readline().strip()
            yield Run(job_type, folder, url, redis_port)
        finally:
            for process in processes:
                process.send_signal(signal.SIGKILL)
                process.wait()
