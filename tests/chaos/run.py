"""One run: the fleet, who hurts it, who watches it, and the clock that all of them go by."""
import collections
import contextlib
import dataclasses
import heapq
import itertools
import os
import random
import time
from pathlib import Path

from client import API_KEY, Client
from jobs import FATES, TERMINAL, plan
from observers import DocumentWatch, LogBook, MongoStore, QueueWatch, SqliteStore, TargetWatch
from programs import DOWN, FROZEN, STOPPING, UP, Program, Redis, Worker, accepts, free_port
from promises import Promises
from shops import make_cmses, write_namespaces
from strikes import Strikes
from visitor import Listener, Visitor

QUEUE, WORKERS = "train", 4
TICK_S, LOOK_S, DOCUMENTS_S, TELL_S = 0.02, 0.2, 1, 5
ENDING_S = 1.5  # what the end of a job may take
GIVE_UP_AFTER = 100  # broken promises: no more is learned
STOP_S = 15  # what a program that is asked to stop may take: its grace, and its last words


@dataclasses.dataclass
class Attempt:
    job_id: str
    number: int
    fence: int
    is_struck: bool = False
    ended_at: float = 0  # when its worker said so: its document and the queue are told then


class Run:
    def __init__(self, scenario, options, folder):
        self.scenario, self.folder = scenario, folder
        self.chance = random.Random(options.seed)
        self.promises, self.tally = Promises(), collections.Counter()
        self.jobs = plan(scenario.jobs, scenario.seconds * 0.85, self.chance, options.fates or scenario.fates or FATES)
        self.ids = {}  # of accepted jobs: id -> Job
        self.unknown = set()  # ids that were answered 202 while it was not known whether they are in the queue
        self.cancels_noted = set()
        self.latest = {}  # worker name -> Attempt, as its log says
        self.attempts = {}  # fence -> Attempt
        self.hits = collections.Counter()  # (what, job id)
        self.strikes_done, self.pauses = [], []
        self.retired, self.replicas = [], 0
        self.is_over = False
        self.agenda, self.order = [], itertools.count()
        self.source, self.bin = Path(options.source), Path(options.bin)
        self.began = self.deadline = time.monotonic()
        self.make_programs(options.store)
        self.queue_watch, self.target_watch = QueueWatch(QUEUE, self.promises), TargetWatch()
        self.documents = DocumentWatch(self.store, self.promises)
        self.log_book = LogBook(self.on_log)
        self.target.on_up.append(self.target_watch.attach)
        self.strikes = Strikes(self)

    # The fleet

    def make_programs(self, store):
        self.cmses = make_cmses(self.folder, self.source, self.chance)
        self.queue = Redis("queue", self.folder, free_port())
        self.target = Redis("target", self.folder, free_port())
        self.replica = None
        self.store_server, self.store, store_url = None, SqliteStore(self.folder / "store.db"), "sqlite:store.db"
        if store == "mongodb":
            port = free_port()
            store_url = f"mongodb://127.0.0.1:{port}/chaos"
            self.store_server = Program("store", self.folder, ["secantusd-py", "--host", "127.0.0.1", "--port", port,
                                                               "--storage-path", self.folder / "store"],
                                        ready=lambda: accepts(port))
            self.store = MongoStore(store_url)
        namespaces = self.folder / "namespaces.json"
        write_namespaces(namespaces, self.jobs, self.cmses)
        settings = self.settings(store_url, namespaces)
        self.gateway_ports = [free_port() for _ in range(2)]
        self.metrics_ports = [free_port() for _ in range(2 + WORKERS)]
        metrics = [{**settings, "METRICS_LISTEN": f"127.0.0.1:{port}"} for port in self.metrics_ports]
        self.gateways = [Program(f"gateway-{number}", self.folder, [self.bin / "recfleet-gateway"],
                                 {**metrics[number], "PORT": str(port)}) for number, port in enumerate(self.gateway_ports)]
        self.workers = [Worker(f"worker-{number}", self.folder, [self.bin / "recfleet-worker"], metrics[2 + number])
                        for number in range(WORKERS)]

    def settings(self, store_url, namespaces):
        scenario = self.scenario
        target = f"redis://127.0.0.1:{self.target.port}"
        settings = {
            "QUEUE_REDIS_URL": f"redis://127.0.0.1:{self.queue.port}", "QUEUE_NAME": QUEUE, "STORE_URL": store_url,
            "HOMEPAGE_REDIS_URL": f"{target}/1", "SIMILAR_REDIS_URL": f"{target}/2", "CROSS_SELL_REDIS_URL": f"{target}/3",
            "API_URL": self.cmses["good"].url, "API_NAMESPACE": "plain-0", "NAMESPACES_FILE": str(namespaces),
            "API_KEY": API_KEY, "LISTEN": "127.0.0.1",
            "RATE_LIMIT_SUBMIT": "1000000", "RATE_LIMIT_READ": "1000000", "CACHE_URL": "file:cache",
            "ALS_PROFILE": "service", "ALS_FACTORS": "4", "ALS_ITERATIONS": "2", "THREADS": "1", "PUBLISH_GUARD_PERCENT": "0",
            "LEASE_S": str(scenario.lease_s), "HEARTBEAT_S": str(scenario.lease_s / 6), "RETRY_BASE_S": "0.2",
            "GRACE_S": "2", "SETTLE_AFTER_S": "3", "MAX_RUNTIME_S": str(scenario.max_runtime_s),
        }
        unset = {name: "" for name in ("MONGO_HOST", "REDIS_USERNAME", "REDIS_PASSWORD") if name in os.environ}
        return {**settings, **unset}

    @property
    def programs(self):
        """In the order that they are started in."""
        stores = [self.store_server] if self.store_server else []
        return [*self.cmses.values(), *stores, self.queue, self.target, *self.gateways, *self.workers]

    def start(self, program):
        program.start()

    def add_replica(self):
        """One that has all that the queue has, behind a closed door."""
        self.replicas += 1
        self.replica = Redis(f"queue-{self.replicas}", self.folder, self.queue.port, replica_of=self.queue)
        self.replica.start(is_open=False)
        self.retired.append(self.replica)

    def destroy(self):
        for program in [*reversed(self.programs), *self.retired]:
            with contextlib.suppress(OSError):
                program.destroy()

    def check_on(self, program):
        """Programs end when they are asked to, with 0 and in time, and at no other time."""
        if program.state == STOPPING and program.is_over():
            self.promises.expect(program.process.returncode == 0, "a program that is asked to stop ends well",
                                 program.last_words())
        elif program.state == STOPPING and time.monotonic() - program.stop_asked_at > STOP_S:
            self.promises.broken("a program that is asked to stop ends in time", f"{program.label}: not in {STOP_S} s")
            program.kill()
        elif program.state in (UP, FROZEN) and program.is_over():
            self.promises.broken("no program ends by itself", program.last_words())
        else:
            return
        program.state = DOWN
        self.forget_attempt(program)
        self.strikes.restart_soon(program, 0.3)

    # What is heard

    def on_log(self, label, entry):
        worker, event = label.rpartition(".")[0], entry.get("event")
        if event == "job.started":
            attempt = Attempt(entry["job"], entry["attempt"], entry["fence"])
            self.attempts[attempt.fence] = self.latest[worker] = attempt
        elif event == "job.ended":
            if worker in self.latest:
                self.latest[worker].ended_at = time.monotonic()
            self.tally[f"attempts {entry.get('outcome')}"] += 1
        elif event == "job.outcome_unknown":
            self.unknown.add(entry["job"])
        elif event == "job.cancel_noted":  # while its gateway had no queue: a run of a second may have ended by then
            self.cancels_noted.add(entry["job"])
        elif event in ("job.lost", "job.fenced"):
            self.tally[f"zombies told {event}"] += 1

    def forget_attempt(self, program):
        self.log_book.look([program])
        self.latest.pop(program.name, None)

    def attempt_of(self, worker):
        """What it runs, or ends."""
        attempt = self.latest.get(worker.name)
        return attempt if attempt and (not attempt.ended_at or time.monotonic() - attempt.ended_at < ENDING_S) else None

    def job_of(self, job_id):
        """Also of one whose acceptance was not heard: by its shop, which a doomed job has for itself."""
        shop = self.queue_watch.shops.get(job_id, "").rpartition(":")[2]
        return self.ids.get(job_id) or next((job for job in self.jobs if job.shop == shop), None)

    def note_strike(self, kind, did):
        self.tally[f"strikes {kind}"] += 1
        self.strikes_done.append((time.time(), kind, did or ""))

    # The clock

    @property
    def seconds(self):
        return time.monotonic() - self.began

    def later(self, seconds, action):
        heapq.heappush(self.agenda, (self.seconds + seconds, next(self.order), action))

    def each(self, seconds, action):
        def again():
            action()
            self.later(seconds, again)
        self.later(seconds, again)

    def is_out_of_time(self):
        return time.monotonic() > self.deadline

    def tick(self):
        while self.agenda and self.agenda[0][0] <= self.seconds:
            heapq.heappop(self.agenda)[2]()
        self.log_book.look([*self.workers, *self.gateways])
        self.strikes.doom()
        for program in self.programs:
            self.check_on(program)
        time.sleep(TICK_S)

    def look_at_queue(self):
        self.queue_watch.look(self.queue)

    def tell(self):
        accepted = [self.documents.documents.get(job_id, {}).get("state") for job_id in list(self.ids)]
        over = sum(state in TERMINAL for state in accepted)
        states = " ".join(f"{program.name.replace('worker-', 'w').replace('gateway-', 'g')}:{program.state}"
                          for program in [self.queue, self.target, *self.gateways, *self.workers] if program.state != UP)
        print(f"[{self.seconds:4.0f} s] {len(self.jobs)} jobs, {len(accepted)} accepted, {over} ended, "
              f"{len(self.strikes_done)} strikes, {len(self.promises.broken_ones)} broken promises {states}", flush=True)

    def go(self):
        """Starts all, lets it storm, then waits until the dust has settled, or the patience is at its end."""
        for program in self.programs:
            self.start(program)
        if self.scenario.loses_writes:
            self.add_replica()
        self.began = time.monotonic()
        self.deadline = self.began + self.scenario.seconds + self.scenario.patience_s
        self.each(LOOK_S, self.look_at_queue)
        self.each(DOCUMENTS_S, self.documents.look)
        self.each(TELL_S, self.tell)
        self.strikes.plan(self.scenario.deck, self.scenario.seconds)
        for when, name in self.scenario.events:
            self.later(when, lambda name=name: self.strikes.strike(name))
        for job in self.jobs:
            self.later(job.begins_s, Client(job, self).start)
        for guest in (Visitor, Listener, Listener):
            guest(self, random.Random(self.chance.random())).start()
        while not (self.seconds > self.scenario.seconds and self.is_settled()) and not self.is_out_of_time():
            self.tick()
            if len(self.promises.broken_ones) > GIVE_UP_AFTER:
                raise RuntimeError("too much is broken to go on")
        self.is_over = True

    def is_settled(self):
        documents = self.documents.documents
        return (all(program.state == UP for program in self.programs) and all(job.is_over for job in self.jobs)
                and all(document["state"] in TERMINAL for document in documents.values()))
