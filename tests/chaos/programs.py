"""The programs of a run: started, hurt and brought back by the driver.

setpriv ties each to the thread that starts it, so that none outlives the driver: only the main thread may start programs.
"""
import contextlib
import os
import random
import signal
import socket
import subprocess
import time

import redis

UP, FROZEN, STOPPING, DOWN = "up", "frozen", "stopping", "down"


def free_port(given=set()):  # pylint: disable=dangerous-default-value
    """A port that the system gives to no client's connection, so that it is still free after a restart; each once."""
    for port in random.SystemRandom().sample(range(20000, 32000), 1000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in given:
                given.add(port)
                return port
    raise RuntimeError("no port is free")


def wait_until(is_true, seconds, what):
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(0.01)


class Program:
    """One program under a name that stays the same over its restarts; each start logs into a file of its own."""

    def __init__(self, name, folder, argv, settings=None, ready=None):
        self.name, self.folder, self.argv = name, folder, argv
        self.settings, self.ready = settings, ready
        self.process, self.state, self.starts = None, DOWN, 0
        self.stop_asked_at = None

    @property
    def pid(self):
        return self.process.pid

    @property
    def label(self):
        return f"{self.name}.{self.starts}"

    @property
    def log_path(self):
        return self.folder / f"{self.label}.log"

    def last_words(self):
        lines = self.log_path.read_text(errors="replace").splitlines()
        return f"{self.label}: status {self.process.poll()}: {lines[-1] if lines else 'no word'}"

    def start(self):
        self.starts += 1
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *map(str, self.argv)], env={**os.environ, **(self.settings or {})},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        self.state = UP
        if self.ready:
            wait_until(lambda: self.ready() or self.is_over(), 20, f"{self.label} is ready")

    def is_over(self):
        return self.process is None or self.process.poll() is not None

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.state = DOWN

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)
        self.state = FROZEN

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)
        self.state = UP

    def ask_to_stop(self):
        self.process.send_signal(signal.SIGTERM)
        if self.state != STOPPING:
            self.state, self.stop_asked_at = STOPPING, time.monotonic()

    def destroy(self):
        if self.process is not None:
            self.kill()


class Worker(Program):
    def child_pids(self):
        try:
            with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as children:
                return [int(pid) for pid in children.read().split()]
        except OSError:
            return []


class Redis(Program):
    """A redis-server that loses nothing it answered. Its port is opened only when the observers are attached (they come by
    a socket of its own), so that they miss nothing."""

    def __init__(self, name, folder, port, replica_of=None):
        home = folder / name
        home.mkdir(exist_ok=True)
        self.port, self.socket_path = port, folder / f"{name}.socket"
        self.on_up = []
        argv = ["redis-server", "--port", 0, "--bind", "127.0.0.1", "--unixsocket", self.socket_path, "--dir", home,
                "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction"]
        if replica_of is not None:
            argv += ["--replicaof", f"127.0.0.1 {replica_of.port}"]
        super().__init__(name, folder, argv, ready=self.answers)

    def admin(self, timeout_s=5):
        return redis.Redis(unix_socket_path=str(self.socket_path), socket_timeout=timeout_s, decode_responses=True)

    def answers(self):
        with contextlib.suppress(redis.RedisError, OSError):
            return self.admin().ping()
        return False

    def start(self, is_open=True):
        super().start()
        for attach in self.on_up:
            attach(self)
        if is_open:
            self.open()

    def open(self):
        self.admin().config_set("port", self.port)


def accepts(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    return False


def processes_marked(mark):
    """(pid, command line) of each process that has this in its environment, but the driver's own."""
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            with open(f"/proc/{entry.name}/environ", "rb") as environ:
                if mark.encode() not in environ.read().split(b"\0"):
                    continue
            with open(f"/proc/{entry.name}/cmdline", "rb") as command:
                line = command.read().replace(b"\0", b" ").decode(errors="replace").strip()
            if line:  # a zombie that nobody waited for yet has none
                found.append((int(entry.name), line))
    return found
