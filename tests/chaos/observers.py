"""Who watches: the queue's events, what reaches the targets, the documents, and the logs of the workers."""
import contextlib
import json
import re
import socket
import sqlite3
import threading
import time

import redis

from jobs import TERMINAL
from programs import UP

LIVE = {"queued", "running", "retrying"}  # what holds a shop's lock
LAG_UNKNOWN_S = 15  # a gateway may need 10 s to come back to a Redis that was away for long
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
MONITORED = re.compile(r"\+(\d+\.\d+) \[\d+ (\S+)\] (.*)")


class TargetWatch:
    """Each command that a target Redis carries out, in its order, by MONITOR: what a publish script did is told as `lua`
    behind its call."""

    def __init__(self):
        self.effects = []  # (unix time, fence key, fence, key)
        self.refused = 0
        self.blind_at = []  # unix times at which the target ended
        self.newest = {}  # by fence key: the newest fence that it has seen
        self.out_of_order = []  # as effects: of a fence that was not the newest

    def attach(self, server):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(server.socket_path))
        connection.sendall(b"MONITOR\r\n")
        lines = connection.makefile("r", encoding="utf-8", errors="replace")
        if lines.readline().strip() != "+OK":
            raise RuntimeError(f"{server.label} lets nobody watch")
        threading.Thread(target=self.watch, args=(connection, lines), daemon=True).start()

    def watch(self, connection, lines):
        call = None
        with contextlib.suppress(OSError):
            for line in lines:
                match = MONITORED.match(line)
                if match:
                    call = self.take(float(match[1]), match[2] == "lua", QUOTED.findall(match[3]), call)
        connection.close()
        self.blind_at.append(time.time())

    def take(self, at, is_of_script, words, call):
        if not is_of_script:
            is_publish = words[0].upper() in ("EVAL", "EVALSHA") and len(words) > 4 and "recfleet:fence:" in words[3]
            if is_publish and int(words[4]) < self.newest.get(words[3], 0):
                self.refused += 1
            return (words[3], int(words[4])) if is_publish else None
        if call is None or words[0].upper() not in ("SET", "DEL"):
            return call
        fence_key, fence = call
        effect = (at, fence_key, fence, words[1])
        if fence < self.newest.get(fence_key, 0):
            self.out_of_order.append(effect)
        self.newest[fence_key] = max(fence, self.newest.get(fence_key, 0))
        if words[1] != fence_key:
            self.effects.append(effect)
        return call


class QueueWatch:
    """The queue's events and its lag, asked each tick while its Redis is there."""

    def __init__(self, queue, promises):
        self.queue, self.promises = queue, promises
        self.prefix = f"q:{{{queue}}}:"
        self.last_id = "0-0"
        self.events = []  # (unix time, job id, state), transitions only
        self.states = {}  # job id -> its last
        self.shops = {}  # job id -> its lock's name
        self.holders = {}  # lock's name -> ids of live jobs
        self.looks = 0
        self.has_lost_writes = False  # after a failover what was seen need not be so
        self.lag_known_at = time.time()

    def forget(self):
        self.has_lost_writes = True

    def look(self, server):
        if server.state != UP:
            self.lag_known_at = time.time()
            return
        admin = server.admin(timeout_s=1)
        try:
            for _, entries in admin.xread({self.prefix + "ev": self.last_id}, count=10000) or []:
                for stream_id, fields in entries:
                    self.last_id = stream_id
                    if "stage" not in fields:
                        self.take(admin, stream_id, fields["id"], fields["state"])
            self.check_lag(admin)
            self.looks += 1
        except redis.RedisError:
            self.promises.unjudge("the queue was asked while it was away")

    def check_lag(self, admin):
        """A restart forgets it; whoever looks after the queue has a moment to put it right."""
        with contextlib.suppress(redis.ResponseError):  # no stream yet
            if all(group["lag"] is not None for group in admin.xinfo_groups(self.prefix + "s")):
                self.lag_known_at = time.time()
            elif time.time() - self.lag_known_at > LAG_UNKNOWN_S:
                self.promises.broken("the stream's lag is known", f"it was not for {LAG_UNKNOWN_S} s")

    def take(self, admin, stream_id, job_id, state):
        at = int(stream_id.partition("-")[0]) / 1000
        before = self.states.get(job_id)
        self.events.append((at, job_id, state))
        self.states[job_id] = state
        if self.has_lost_writes:
            return
        if before in TERMINAL and state not in ("queued", "scheduled"):
            self.promises.broken("what is over stays over", f"{before}, then {state}", job_id)
        shop = self.shops.get(job_id)
        if shop is None:
            shop = self.shops[job_id] = admin.hget(self.prefix + "j:" + job_id, "uniq") or job_id
        holders = self.holders.setdefault(shop, set())
        (holders.add if state in LIVE else holders.discard)(job_id)
        self.promises.expect(len(holders) < 2, "one live job of a type and shop",
                             f"{shop}: {', '.join(sorted(holders))}", job_id)

    def starts(self, job_id):
        return [at for at, of, state in self.events if of == job_id and state == "running"]


class SqliteStore:
    def __init__(self, path):
        self.path = path

    def read(self, table):
        """{id: document}; None where it cannot be read."""
        with contextlib.suppress(sqlite3.OperationalError):
            with contextlib.closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)) as database:
                return {row[0]: json.loads(row[1]) for row in database.execute(f"SELECT id, document FROM {table}")}
        return None


class MongoStore:
    def __init__(self, url):
        import pymongo  # pylint: disable=import-outside-toplevel
        self.errors = pymongo.errors.PyMongoError
        self.database = pymongo.MongoClient(url, serverSelectionTimeoutMS=500, socketTimeoutMS=5000).get_default_database()

    def read(self, table):
        with contextlib.suppress(self.errors):
            return {document["_id"]: document for document in self.database[table].find()}
        return None


class DocumentWatch:
    """The documents each tick: what is terminal stays as it is, but for a retry; fences never fall."""

    def __init__(self, store, promises):
        self.store, self.promises = store, promises
        self.documents = {}

    def look(self):
        documents = self.store.read("jobs")
        if documents is None:
            return self.promises.unjudge("the store was asked while it was away")
        before_by_id, self.documents = self.documents, documents
        for job_id, before in before_by_id.items():
            now = documents.get(job_id)
            if now is None:  # a replay's, or a duplicate's, goes again
                self.promises.expect(before["state"] == "accepted", "no document is lost", f"it was {before['state']}", job_id)
                continue
            self.promises.expect(now["fence"] >= before["fence"], "a document's fence never falls",
                                 f"{before['fence']}, then {now['fence']}", job_id)
            if before["state"] in TERMINAL and before["state"] != now["state"]:
                self.promises.expect(now.get("generation", 0) > before.get("generation", 0), "what is over stays over",
                                     f"document {before['state']}, then {now['state']}", job_id)


class LogBook:
    """The programs' logs as they grow; `on_event` gets (program label, line as an object)."""

    def __init__(self, on_event):
        self.on_event, self.offsets = on_event, {}

    def look(self, programs):
        for program in programs:
            for number in (program.starts - 1, program.starts):
                if number > 0:
                    self.read(f"{program.name}.{number}", program.folder / f"{program.name}.{number}.log")

    def read(self, label, path):
        if not path.exists():
            return  # it is just being started
        with open(path, "rb") as log:
            log.seek(self.offsets.get(path, 0))
            text = log.read()
        whole = text[:text.rfind(b"\n") + 1]
        self.offsets[path] = self.offsets.get(path, 0) + len(whole)
        for line in whole.splitlines():
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if isinstance(entry, dict):
                    self.on_event(label, entry)
