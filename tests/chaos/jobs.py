"""The jobs of a run and their fates: what each is given, what is done to it, and how it may end."""
import dataclasses
import datetime
import random

from shops import NOBODY

SUCCEEDED, DEAD, CANCELLED, SUPERSEDED = "succeeded", "dead", "cancelled", "superseded"
TERMINAL = {SUCCEEDED, DEAD, CANCELLED, SUPERSEDED}
MANY_ERRORS = 8  # more than the driver's strikes make of one job


@dataclasses.dataclass(frozen=True)
class Fate:
    name: str
    share: int  # of 200 jobs
    ends: frozenset = frozenset({SUCCEEDED})
    mood: str = "good"  # of the shop's CMS
    max_errors: int = MANY_ERRORS
    publishes: bool = True
    play: str = "submit_and_watch"  # the method of client.Client that plays it
    rivals: int = 1  # jobs of one shop
    doom: str = ""  # "child" or "worker": killed whenever the job runs
    type: str = "homepage_and_similar_products"


def fates(*table):
    return {fate.name: fate for fate in table}


FATES = fates(
    Fate("plain", 44),
    Fate("large", 10, mood="large"),
    Fate("rival", 48, play="contend", rivals=3),
    Fate("cross-sell", 12, type="cross_sell"),
    Fate("cross-sell rival", 6, play="contend", rivals=3, type="cross_sell"),
    Fate("dry run", 8, publishes=False),
    Fate("scheduled", 8, play="schedule"),
    Fate("scheduled rival", 6, ends=frozenset({SUCCEEDED, SUPERSEDED}), play="schedule", rivals=3),
    Fate("moody CMS", 10, mood="moody"),
    Fate("failing CMS", 3, ends=frozenset({DEAD}), mood="failing", max_errors=1),
    Fate("CMS down", 3, ends=frozenset({DEAD}), mood=NOBODY, max_errors=0),
    Fate("garbage", 4, ends=frozenset({DEAD}), mood="garbage", max_errors=0),
    Fate("empty", 4, ends=frozenset({DEAD}), mood="empty"),
    Fate("endless", 3, ends=frozenset({DEAD}), mood="endless", max_errors=0),
    Fate("poison", 5, ends=frozenset({DEAD}), mood="slow", max_errors=2, doom="child"),
    Fate("worker poison", 2, ends=frozenset({DEAD}), mood="slow", doom="worker"),
    Fate("cancelled waiting", 8, play="cancel_waiting"),
    Fate("cancelled running", 8, mood="slow", play="cancel_running"),
    Fate("cancelled, retried", 3, play="cancel_and_retry"),
    Fate("dead, retried", 5, mood="slow", max_errors=4, doom="child", play="die_and_retry"),
)


@dataclasses.dataclass
class Job:
    number: int
    fate: Fate
    shop: str
    begins_s: float  # into the run
    seed: int
    id: str = ""  # once it is accepted
    ends: frozenset = frozenset()  # narrowed by what the gateway answered
    run_at: float = 0  # unix time; 0: at once
    not_after: list = dataclasses.field(default_factory=list)  # (unix time, why): it must not start after it
    ids: list = dataclasses.field(default_factory=list)  # all that were accepted under its key
    surprises: list = dataclasses.field(default_factory=list)  # answers that only an outcome not known to the gateway excuses
    is_doomed: bool = False
    is_over: bool = False  # its client has no more to do

    @property
    def mood(self):
        return self.fate.mood

    def chance(self):
        return random.Random(self.seed)

    def body(self):
        body = {"type": self.fate.type, "max_errors": self.fate.max_errors,
                "params": {"namespace": self.shop}}
        if not self.fate.publishes:
            body["params"]["publish"] = False
        if self.run_at:
            body["run_at"] = datetime.datetime.fromtimestamp(self.run_at, datetime.timezone.utc).isoformat()
        return body


def plan(count, seconds, chance, names):
    """The jobs, spread over `seconds` in the shares of the fates named, in order of their beginning."""
    chosen = [fate for fate in FATES.values() if fate.name in names]
    whole = sum(fate.share for fate in chosen)
    jobs = []
    for fate in chosen:
        for group in range(max(1, round(count * fate.share / whole / fate.rivals))):
            begins_s = chance.uniform(0, seconds)
            shop = f"{fate.name.replace(', ', '-').replace(' ', '-').lower()}-{group}"
            for _ in range(fate.rivals):
                jobs.append(Job(len(jobs), fate, shop, begins_s, chance.getrandbits(32), ends=fate.ends,
                                is_doomed=bool(fate.doom)))
    return sorted(jobs, key=lambda job: job.begins_s)
