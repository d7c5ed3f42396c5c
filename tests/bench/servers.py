"""Servers of a bench: each on a free port of 127.0.0.1, in a folder of its own, ended with the block that started it."""
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time

START_S = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(is_true, what, seconds=START_S):
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(0.01)


def processors(number):
    """
    That one of two, as where both are busy for more than half of the time the kernel looks for no idle one, and leaves
    one idle while a program waits. All of them where there are more, and for None.
    """
    everywhere = os.sched_getaffinity(0)
    return {sorted(everywhere)[number]} if number is not None and len(everywhere) == 2 else everywhere


def cpulist(number):
    return ",".join(map(str, sorted(processors(number))))


@contextlib.contextmanager
def on_processor(number):
    """What is started within runs there."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors(number))
    try:
        yield
    finally:
        os.sched_setaffinity(0, everywhere)


@contextlib.contextmanager
def server(argv, port, folder, settings=None):
    """Runs until the block ends; gives the process. It dies with this one."""
    log = folder / "log"
    with open(log, "ab") as output:
        process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *map(str, argv)], cwd=folder,
                                   env={**os.environ, **(settings or {})}, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=output)
    try:
        wait_until(lambda: process.poll() is not None or accepts(port), f"{argv[0]} serves")
        if process.poll() is not None:
            raise RuntimeError(f"{argv[0]} ended: {log.read_text(errors='replace')[-2000:]}")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def scratch(folder):
    path = type(folder)(tempfile.mkdtemp(dir=folder))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def redis(folder, keeps=True, processor=None):
    """
    `keeps`: as the README asks for the queue's, what was written is kept, synced each second. `processor`: for its
    commands, not for the syncs. Gives its port.
    """
    port = free_port()
    with scratch(folder) as own, server(
            ["redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", own, "--save", "", "--appendonly",
             "yes" if keeps else "no",
             "--maxmemory-policy", "noeviction", "--server_cpulist", cpulist(processor), "--bio_cpulist", cpulist(None)],
            port, own):
        yield port


def mongo_program(source):
    path = os.environ.get("RECFLEET_MONGO_SERVER", source / "build" / "venv" / "bin" / "secantusd-py")
    return path if os.access(path, os.X_OK) else None


@contextlib.contextmanager
def store(kind, source, folder):
    """Gives a function that makes the URL of an empty store, by a name."""
    with scratch(folder) as own:
        if kind == "sqlite":
            yield lambda name: f"sqlite:{own}/{name}.db"
            return
        port = free_port()
        with server([mongo_program(source), "--host", "127.0.0.1", "--port", port, "--storage-path", own / "data"],
                    port, own):
            yield lambda name: f"mongodb://127.0.0.1:{port}/{name}"
