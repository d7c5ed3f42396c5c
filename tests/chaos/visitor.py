"""Who looks in all the time: each route that only reads, at any gateway, and a stream of events that is taken up again where
it broke. Whatever happens to the fleet, they are answered well or not at all."""
import collections
import http.client
import json
import threading
import time

from client import API_KEY, BUSY, Unanswered, ask
from jobs import TERMINAL

LOOKS = ("/", "/health", "/readyz", "/openapi.json", "/v1/queue", "/v1/workers", "/v1/jobs?limit=20", "/v1/jobs?state=dead",
         "/v1/jobs/{id}", "/v1/jobs/{id}/report")
PAUSE_S = 0.15


class Visitor(threading.Thread):
    def __init__(self, run, chance):
        super().__init__(daemon=True, name="visitor")
        self.run_of, self.chance = run, chance

    def run(self):
        while not self.run_of.is_over:
            path = self.chance.choice(LOOKS)
            if "{id}" in path:
                path = path.replace("{id}", self.chance.choice(sorted(self.run_of.ids) or ["0" * 26]))
            self.look(self.chance.choice(self.run_of.gateway_ports), path)
            self.look(self.chance.choice(self.run_of.metrics_ports), "/metrics")
            time.sleep(PAUSE_S)

    def look(self, port, path):
        headers = {"Prefer": "wait=1"} if path.startswith("/v1/jobs/") and self.chance.random() < 0.2 else {}
        try:
            answer = ask(port, "GET", path, headers=headers)
        except Unanswered:
            self.run_of.tally["visits unanswered"] += 1
            return
        self.run_of.tally[f"visits answered {answer.status}"] += 1
        if answer.status >= 500 and answer.status not in BUSY:
            self.run_of.promises.broken("no request fails for a defect", f"GET {path}: {answer.status} {answer.body}")


class Listener(threading.Thread):
    """Follows one job after the other, as a browser does: with Last-Event-ID, and again at another gateway when one is gone."""

    def __init__(self, run, chance):
        super().__init__(daemon=True, name="listener")
        self.run_of, self.chance = run, chance
        self.last_id = ""

    def run(self):
        followed = collections.deque(maxlen=1000)
        while not self.run_of.is_over:
            fresh = [job_id for job_id in sorted(self.run_of.ids) if job_id not in followed]
            if fresh:
                followed.append(fresh[-1])
                self.follow(fresh[-1])
            time.sleep(PAUSE_S)

    def follow(self, job_id):
        self.last_id = ""
        until = time.monotonic() + 20
        while time.monotonic() < until and not self.run_of.is_over:
            if self.listen(job_id) in TERMINAL:
                self.run_of.tally["jobs followed to their end by events"] += 1
                return
            time.sleep(PAUSE_S)
        self.run_of.tally["jobs followed for a while by events"] += 1

    def listen(self, job_id):
        """The last state that was told before the stream broke."""
        port = self.chance.choice(self.run_of.gateway_ports)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=6)
        state = None
        try:
            headers = {"X-API-KEY": API_KEY, "Accept": "text/event-stream"}
            connection.request("GET", f"/v1/jobs/{job_id}/events", headers={**headers, "Last-Event-ID": self.last_id})
            response = connection.getresponse()
            if response.status == 200:
                for line in response:
                    state = self.take(line.decode().rstrip("\r\n"), job_id) or state
                    if state in TERMINAL:
                        break
            elif response.status not in BUSY:
                self.run_of.promises.broken("events can be followed", f"{response.status}", job_id)
        except (OSError, http.client.HTTPException):
            self.run_of.tally["event streams broken off"] += 1
        finally:
            connection.close()
        return state

    def take(self, line, job_id):
        field, _, value = line.partition(": ")
        if field == "id":
            self.last_id = value
        if field != "data":
            return None
        try:
            return json.loads(value).get("state")
        except ValueError:
            self.run_of.promises.broken("events are JSON", line, job_id)
            return None
