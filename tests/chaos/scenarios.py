"""The scenarios: how long, how many jobs, which strikes, and what then may be."""
import dataclasses


@dataclasses.dataclass
class Scenario:
    name: str
    seconds: float  # of new jobs and strikes
    jobs: int
    deck: dict  # strikes at random moments: name -> how many
    events: list = dataclasses.field(default_factory=list)  # (second, strike): at that moment
    lease_s: float = 3
    max_runtime_s: float = 8
    patience_s: float = 90  # for all to end, once it is quiet
    fates: tuple = ()  # of the jobs; (): all
    loses_writes: bool = False  # what was answered may be forgotten by the queue, though not by the store
    is_calm: bool = False  # nobody is hurt: each attempt goes through, and no job is taken from its worker


STORM = {  # in 180 s
    "kill_child": 20, "kill_worker": 10, "make_zombie": 14, "stop_worker": 9, "kill_gateway": 8, "stop_gateway": 3,
    "freeze_gateway": 4, "kill_queue": 5, "freeze_queue": 6, "kill_target": 4, "freeze_target": 9, "freeze_store": 8,
    "freeze_target_long": 4, "pause": 5, "upset_cms": 12,
}
MONGO_ONLY = {"kill_store": 3}


def shrink(deck, share, left_out):
    return {name: max(1, round(count * share)) for name, count in deck.items() if name not in left_out}


def storm(seconds, store, left_out):
    seconds = seconds or 180
    deck = {**STORM, **(MONGO_ONLY if store == "mongodb" else {})}
    return Scenario("storm", seconds, round(200 * seconds / 180), shrink(deck, seconds / 180, left_out))


def failover(seconds, store, left_out):
    """What the replica lacks is made anew of the documents; a job whose end it missed is not run again."""
    seconds = seconds or 60
    deck = {"fail_over": 5, "kill_child": 4, "kill_worker": 2, "kill_gateway": 1}
    fates = ("plain", "rival", "scheduled", "dry run", "failing CMS", "cancelled running", "dead, retried")
    return Scenario("failover", seconds, round(70 * seconds / 60), shrink(deck, seconds / 60, left_out), fates=fates,
                    loses_writes=True)


def outage(seconds, store, left_out):
    """Twice for one and a half leases: once it stands still, once it is gone. Its clients come back within 10 s, so that
    a lease has to be longer."""
    lease_s = 12
    again_s = 10 + 1.5 * lease_s + 12
    events = [(10, "freeze_queue_long"), (again_s, "end_queue_long")]
    return Scenario("outage", max(seconds, again_s + 1.5 * lease_s + 5), 60, {"upset_cms": 0}, events, lease_s=lease_s,
                    max_runtime_s=60, fates=("plain", "rival", "scheduled", "dry run"), is_calm=True)


SCENARIOS = {"storm": storm, "failover": failover, "outage": outage}
