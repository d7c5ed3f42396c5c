"""Who asks the gateways: one thread a job, that plays what its fate says and notes what it was promised."""
import contextlib
import http.client
import json
import threading
import time

from jobs import CANCELLED, SUCCEEDED, TERMINAL

API_KEY = "chaos-key"
BUSY = (429, 503)  # come again


class Unanswered(Exception):
    """The connection broke, or took too long: whether the gateway did it is not known."""


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers = status, headers
        try:
            self.body = json.loads(body) if body else {}
        except ValueError:
            self.body = {}

    @property
    def located_id(self):
        return (self.headers.get("Location") or "").rpartition("/")[2]


def ask(port, method, path, body=None, headers=None, timeout_s=6):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    text = json.dumps(body).encode() if body is not None else None
    headers = {"X-API-KEY": API_KEY, **({"Content-Type": "application/json"} if text else {}), **(headers or {})}
    try:
        connection.request(method, path, text, headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    except (OSError, http.client.HTTPException) as error:
        raise Unanswered(f"{method} {path}: {error!r}") from error
    finally:
        connection.close()


class Client(threading.Thread):
    def __init__(self, job, run):
        super().__init__(daemon=True, name=f"client of job {job.number}")
        self.job, self.run_of, self.chance = job, run, job.chance()
        self.key = f"key-{job.number}-{job.seed}"

    def run(self):
        try:
            getattr(self, self.job.fate.play)()
        except Exception as error:  # the driver's own defect must not pass for a green run
            self.broken("the driver works", f"client of {self.job.fate.name}: {error!r}")
        self.job.is_over = True

    def broken(self, promise, what):
        self.run_of.promises.broken(promise, what, self.job.id or None)

    # Asking

    def insist(self, method, path, body=None, headers=None):
        """Any gateway, until one answers; (answer, whether an earlier try may have been carried out too)."""
        uncertain = False
        while not self.run_of.is_out_of_time():
            with contextlib.suppress(Unanswered):
                answer = ask(self.chance.choice(self.run_of.gateway_ports), method, path, body, headers)
                if answer.status >= 500 and answer.status not in BUSY:
                    self.broken("no request fails for a defect", f"{method} {path}: {answer.status} {answer.body}")
                elif answer.status not in BUSY:
                    return answer, uncertain
            uncertain = True
            time.sleep(self.chance.uniform(0.1, 0.5))
        raise TimeoutError(f"{method} {path} was not answered to the end of the run")

    def submit(self):
        """Until it is accepted: while another job of the shop lives, it comes again."""
        job = self.job
        while not self.run_of.is_out_of_time():
            answer, uncertain = self.insist("POST", "/v1/jobs", job.body(), {"Idempotency-Key": self.key})
            if answer.status == 202 or (answer.status == 200 and uncertain):
                return self.accept(answer.body["id"])
            if answer.status != 409:
                return self.broken("a good request is accepted", f"{job.fate.name}: {answer.status} {answer.body}")
            if not answer.located_id:
                self.broken("409 names the live job", f"{answer.body}")
            time.sleep(self.chance.uniform(0.2, 0.8))

    def state(self):
        answer, _ = self.insist("GET", f"/v1/jobs/{self.job.id}")
        if answer.status == 404:
            self.broken("an accepted job is known", f"GET /v1/jobs/{self.job.id}: 404")
        return answer.body.get("state")

    def wait_for(self, states):
        while True:
            state = self.state()
            if state in states or self.run_of.is_out_of_time():
                return state
            time.sleep(self.chance.uniform(0.2, 0.5))

    # Plays

    def submit_and_watch(self):
        self.submit()
        if self.chance.random() < 0.4 and not self.run_of.scenario.loses_writes:  # a key may be lost
            self.submit_again()
        self.wait_for(TERMINAL)

    def submit_again(self):
        """The same key finds the same job; with another body it is refused."""
        time.sleep(self.chance.uniform(0, 3))
        self.replay("a replay is answered with its job", self.job.body(), 200)
        other = {**self.job.body(), "max_errors": self.job.fate.max_errors + 1}
        self.replay("a key with another body is refused", other, 422)
        self.run_of.tally["replays asked for"] += 1

    def replay(self, promise, body, wanted):
        job, first = self.job, self.job.id
        answer, _ = self.insist("POST", "/v1/jobs", body, {"Idempotency-Key": self.key})
        found = answer.body.get("id")
        if answer.status in (200, 202) and found not in job.ids:
            self.accept(found)
        if answer.status != wanted or (wanted == 200 and found != first):
            job.surprises.append((promise, f"{answer.status} {answer.body}"))

    def accept(self, job_id):
        self.job.id = job_id
        self.job.ids.append(job_id)
        self.run_of.ids[job_id] = self.job

    def contend(self):
        time.sleep(self.chance.uniform(0, 0.3))
        self.submit_and_watch()

    def schedule(self):
        self.job.run_at = time.time() + self.chance.uniform(2, 8)
        self.submit_and_watch()

    def cancel(self):
        """Notes what was promised: 200 it never starts, 202 it ends cancelled, 409 it ends as it would have."""
        job = self.job
        answer, uncertain = self.insist("POST", f"/v1/jobs/{job.id}/cancel")
        self.run_of.tally[f"cancel answered {answer.status}"] += 1
        if answer.status == 200:
            job.not_after.append((time.time(), "its cancel was answered 200"))
        if answer.status == 202 and self.run_of.scenario.loses_writes:
            job.ends = frozenset({CANCELLED, SUCCEEDED})
        elif answer.status in (200, 202):
            job.ends = frozenset({CANCELLED})
        elif answer.status == 409:
            job.ends = frozenset({SUCCEEDED, CANCELLED} if uncertain else {SUCCEEDED})
        else:
            self.broken("cancel is answered", f"{answer.status} {answer.body}")
        return answer.status

    def cancel_waiting(self):
        if self.chance.random() < 0.5:
            self.job.run_at = time.time() + 30
        self.submit()
        time.sleep(self.chance.uniform(0, 0.1))
        self.cancel()
        self.wait_for(TERMINAL)

    def cancel_running(self):
        self.submit()
        self.wait_for({"running"} | TERMINAL)
        time.sleep(self.chance.uniform(0, 0.8))
        self.cancel()
        self.wait_for(TERMINAL)

    def retry(self):
        """Again from the start; where a try was not answered, it may be live by then, or through."""
        job = self.job
        job.is_doomed, job.run_at = False, 0
        for what in ("worker", "child"):
            self.run_of.hits.pop((what, job.id), None)
        job.not_after.clear()
        job.ends = frozenset({SUCCEEDED})
        answer, uncertain = self.insist("POST", f"/v1/jobs/{job.id}/retry")
        if answer.status not in (200, 202) and not (uncertain and answer.status == 409):
            self.broken("a dead or cancelled job can be retried", f"{answer.status} {answer.body}")
        self.run_of.tally["retries asked for"] += 1

    def cancel_and_retry(self):
        self.job.run_at = time.time() + 10
        self.submit()
        self.cancel()
        if self.wait_for(TERMINAL) == CANCELLED:
            self.retry()
            self.wait_for(TERMINAL)

    def die_and_retry(self):
        self.submit()
        if self.wait_for(TERMINAL) == "dead":
            self.retry()
            self.wait_for(TERMINAL)
        else:
            self.broken("what is killed each time dies", "it did not die")
