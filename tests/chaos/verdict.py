"""After the storm: what has to be so at the end."""
import collections
import contextlib
import datetime
import time

import redis

from client import Unanswered, ask
from jobs import CANCELLED, SUCCEEDED, SUPERSEDED, TERMINAL
from programs import UP, processes_marked, wait_until

EMPTY_S = 60  # a round of upkeep, which trims the stream
SLACK_S = 0.005  # times are noted in milliseconds


def unix_time(value):
    """Of a time in a document: a text in SQLite, a date without a zone in MongoDB."""
    if value is None:
        return None
    if isinstance(value, str):
        return datetime.datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()
    return value.replace(tzinfo=datetime.timezone.utc).timestamp()


class Verdict:
    def __init__(self, run):
        self.run, self.promises = run, run.promises
        self.prefix = run.queue_watch.prefix
        self.documents = {}
        self.hashes = {}

    def reach(self):
        self.queue_is_empty()  # first: a job that a failover brought back to life has its second end yet to come
        self.run.look_at_queue()
        self.run.documents.look()
        self.documents = self.run.documents.documents
        with contextlib.suppress(redis.RedisError):
            self.read_hashes()
        self.keys_have_one_job()
        self.jobs_ended()
        self.documents_agree_with_the_queue()
        self.effects_are_of_the_newest_fence()
        self.successes_are_published_whole()
        if not self.run.scenario.loses_writes:  # else what was counted, or answered, need not be known any more
            self.losses_were_losses()
            self.starts_were_allowed()
        self.gateways_agree()
        self.nothing_is_left()

    def read_hashes(self):
        admin = self.run.queue.admin()
        for key in admin.scan_iter(self.prefix + "j:*", count=1000):
            self.hashes[key.rpartition(":")[2]] = {**admin.hgetall(key), "ttl": admin.ttl(key)}

    # Jobs

    def jobs_ended(self):
        expect = self.promises.expect
        for job in self.run.jobs:
            document = self.documents.get(job.id)
            if job.id in self.run.cancels_noted:
                job.ends |= {SUCCEEDED}
            if not job.id:
                expect(False, "every job is accepted at last", f"{job.fate.name} of {job.shop}")
            elif expect(document is not None, "no accepted job is lost", f"{job.fate.name}: no document", job.id):
                state = document["state"]
                expect(state in TERMINAL, "every accepted job ends", f"{job.fate.name}: {state}", job.id)
                expect(state in job.ends or state not in TERMINAL, "each job ends as it has to",
                       f"{job.fate.name}: {state} instead of {' or '.join(sorted(job.ends))}: {document.get('error')}", job.id)
        for job_id, document in self.documents.items():
            expect(job_id in self.run.ids or document["state"] in TERMINAL, "every document ends",
                   f"{document['state']}, and nobody was told of it", job_id)

    def keys_have_one_job(self):
        """Of all documents of an Idempotency-Key one is run. Where a gateway could not know whether a job was enqueued, its
        202 may be for one that another of the key, or of a rival, supersedes."""
        by_key = collections.defaultdict(list)
        for job_id, document in self.documents.items():
            if document["state"] != SUPERSEDED:
                by_key[document.get("idempotency_hash")].append(job_id)
        for job in self.run.jobs:
            winners = by_key[self.documents.get(job.id, {}).get("idempotency_hash")]
            self.promises.expect(len(winners) < 2, "a key has one job", ", ".join(winners), job.id)
            was_unknown = any(job_id in self.run.unknown for job_id in job.ids)
            for promise, what in job.surprises:
                self.promises.expect(was_unknown, promise, what, job.id)
            job.id = (winners or [job.id])[0]
            if (was_unknown or self.run.scenario.loses_writes) and job.fate.rivals > 1:
                job.ends |= {SUPERSEDED}

    def documents_agree_with_the_queue(self):
        for job_id, fields in self.hashes.items():
            document = self.documents.get(job_id)
            state = document["state"] if document else "no document"
            self.promises.expect(fields.get("state") == state, "queue and document agree at the end",
                                 f"queue {fields.get('state')}, document {state}", job_id)
            self.promises.expect(fields["ttl"] > 0, "what is over goes away in time", f"its HASH lives {fields['ttl']} s", job_id)

    def losses_were_losses(self):
        """Workers are struck while they run a job, or in the moment before their log says so: the sums tell."""
        struck = sum(self.run.tally[f"strikes {kind}"] for kind in ("kill worker", "make zombie", "kill doomed worker"))
        lost = {job_id: int(fields.get("lost", 0)) for job_id, fields in self.hashes.items()}
        self.promises.expect(sum(lost.values()) <= struck, "no worker is counted lost that was not",
                             f"{sum(lost.values())} in all, {struck} were struck")
        if self.run.scenario.is_calm:
            for job_id, fields in self.hashes.items():
                counts = {name: fields.get(name) for name in ("attempt", "errs", "lost")}
                self.promises.expect(list(counts.values()) == ["1", "0", "0"], "an outage costs no job anything", f"{counts}",
                                     job_id)

    def starts_were_allowed(self):
        run = self.run
        for since, until in run.pauses:
            for at, job_id, state in run.queue_watch.events:
                if state == "running" and since + SLACK_S < at < until - SLACK_S:
                    self.promises.broken("nothing starts in a pause", f"{at - since:.3f} s after it was answered", job_id)
        for job in run.jobs:
            for at in run.queue_watch.starts(job.id):
                self.promises.expect(at >= job.run_at - SLACK_S, "a scheduled job waits for its time",
                                     f"{job.run_at - at:.3f} s early", job.id)
                for limit, why in job.not_after:
                    self.promises.expect(at <= limit + SLACK_S, "what cannot start does not",
                                         f"{at - limit:.3f} s after {why}", job.id)

    # Effects

    def effects_are_of_the_newest_fence(self):
        watch = self.run.target_watch
        for at, fence_key, fence, key in watch.out_of_order:
            attempt = self.run.attempts.get(fence)
            self.promises.broken("only the newest fence has effects",
                                 f"{key} at {at:.3f} by fence {fence}, older than {fence_key} had seen",
                                 attempt and attempt.job_id)
        by_fence = collections.defaultdict(list)
        for at, _, fence, key in watch.effects:
            by_fence[fence].append((at, key))
        for fence, effects in by_fence.items():
            self.judge_effects_of(fence, effects)

    def judge_effects_of(self, fence, effects):
        attempt = self.run.attempts.get(fence)
        job_id = attempt and attempt.job_id
        document = self.documents.get(job_id) or {}
        foreign = [key for _, key in effects if not key.startswith(f"{document.get('namespace')}:")]
        self.promises.expect(not foreign, "effects are of a run of that shop", f"{foreign[:3]} by fence {fence}", job_id)
        ended = unix_time(document.get("finished_at"))
        late = [(at, key) for at, key in effects if ended is not None and at > ended + SLACK_S]
        self.promises.expect(not late, "what is over has no more effects",
                             f"{late[:3]} by fence {fence}, ended at {ended}", job_id)

    def successes_are_published_whole(self):
        """What the last attempt of a success wrote is what its report counts; a dry run or a cancelled one wrote nothing."""
        written = collections.Counter(fence for _, _, fence, _ in self.run.target_watch.effects)
        reports = self.run.store.read("reports") or {}
        for job in self.run.jobs:
            document = self.documents.get(job.id)
            if not document or document["state"] not in TERMINAL:
                continue
            wrote, wanted = written[document["fence"]], 0
            if document["state"] == SUCCEEDED:
                report = reports.get(job.id)
                if not self.promises.expect(report is not None and report["fence"] == document["fence"],
                                            "a success has the report of its run", f"{report and report['fence']}", job.id):
                    continue
                wanted = sum(count for name, count in report["published_counts"].items() if name.endswith("_keys"))
            elif document["state"] != CANCELLED or document["attempt"] > 1:  # an earlier attempt may have begun to publish
                continue
            if self.was_blind(document):
                self.promises.unjudge("effects while the target ended")
                continue
            self.promises.expect(wrote == (wanted if job.fate.publishes else 0), "a run publishes all, or nothing",
                                 f"{job.fate.name}, {document['state']}: {wrote} keys instead of {wanted}", job.id)

    def was_blind(self, document):
        begun, ended = unix_time(document.get("started_at")) or 0, unix_time(document.get("finished_at")) or time.time()
        return any(begun - 1 <= at <= ended + 1 for at in self.run.target_watch.blind_at)

    # What is left

    def queue_is_empty(self):
        admin = self.run.queue.admin()

        def counts():
            pending = admin.xpending(self.prefix + "s", "g")["pending"] if admin.exists(self.prefix + "s") else 0
            return {"stream": admin.xlen(self.prefix + "s"), "pending": pending, "open": admin.zcard(self.prefix + "open"),
                    "delay": admin.zcard(self.prefix + "delay"), "locks": len(list(admin.scan_iter(self.prefix + "u:*")))}

        with contextlib.suppress(RuntimeError):
            wait_until(lambda: not any(counts().values()), EMPTY_S, "the queue is empty")
        left = {name: count for name, count in counts().items() if count}
        self.promises.expect(not left, "the queue is empty at the end", f"{left}")

    def gateways_agree(self):
        for job_id, document in self.documents.items():
            for port in self.run.gateway_ports:
                with contextlib.suppress(Unanswered):
                    answer = ask(port, "GET", f"/v1/jobs/{job_id}")
                    self.promises.expect(answer.status == 200 and answer.body["state"] == document["state"],
                                         "each gateway knows how it ended", f"{answer.status} {answer.body.get('state')}, "
                                         f"document {document['state']}", job_id)

    def nothing_is_left(self):
        """Asked to stop, all go, and no child is behind them; workers leave the registry."""
        fleet = [*self.run.workers, *self.run.gateways]
        for program in fleet:
            if program.state == UP:
                program.ask_to_stop()
        with contextlib.suppress(RuntimeError):
            wait_until(lambda: all(program.is_over() for program in fleet), 15, "all stop")
        for program in fleet:
            self.promises.expect(program.is_over() and program.process.returncode == 0, "a program that is asked to stop ends well",
                                 f"{program.label}: {program.process.returncode if program.is_over() else 'still there'}")
        with contextlib.suppress(redis.RedisError):  # those that were killed stay there for a minute
            for key in self.run.queue.admin().scan_iter(self.prefix + "w:*"):
                stopped = [worker.label for worker in self.run.workers if f"-{worker.pid}-" in key]
                self.promises.expect(not stopped, "a worker that stops leaves the registry", f"{stopped}: {key}")
        self.run.destroy()
        left = processes_marked(self.run.mark)
        self.promises.expect(not left, "no process is left behind", f"{left}")
