"""A tiny shop, the stand-ins for its CMS in each mood, and the file that makes many shops of them."""
import json
import time
import urllib.request
from pathlib import Path

from programs import Program, accepts, free_port

SMALL, LARGE = 16, 2600  # customers; those of the large one are published in three chunks
PRODUCTS, EVENTS_OF_ONE = 24, 8

# What the CMS of a shop does; the driver upsets "moody" now and then. All take their time, so that strikes meet running jobs.
PACE = {"kind": "slow", "ms": 300}
MOODS = {
    "good": PACE,
    "large": PACE,
    "slow": {"kind": "slow", "ms": 600},
    "failing": {"kind": "500"},
    "garbage": {"kind": "garbage"},
    "empty": {"kind": "empty"},
    "endless": {"kind": "dribble", "ms": 100},
    "moody": PACE,
}
NOBODY = "down"  # no CMS listens there
PASSING_FAULTS = [{"kind": "500"}, {"kind": "reset"}, {"kind": "truncated"}, {"kind": "429"}, {"kind": "503", "every": 2}]


def write_data(folder, customers, chance):
    folder.mkdir()
    now = int(time.time())
    with open(folder / "events.jsonl", "w", encoding="ascii") as events:
        for number in range(customers * EVENTS_OF_ONE):
            user = number % customers
            product = 1 + (user * 5 + chance.randrange(6)) % PRODUCTS
            bought = chance.random() < 0.4
            info = {"content_ids": f",{product},"} if bought else {"id": str(product), "referrer": ""}
            events.write(json.dumps({"id": 900000 - number, "action": "purchase" if bought else "content_view",
                                     "user_uid": f"user-{user}", "info": info, "created": now - 3600 - number * 10}) + "\n")
    products = [{"id": n, "stock": 5, "status": "Published", "title": f"Toy {n}"} for n in range(1, PRODUCTS + 1)]
    (folder / "products.json").write_text(json.dumps(products), encoding="ascii")


class Cms(Program):
    def __init__(self, mood, folder, source, data, port):
        argv = [Path(source) / "tests/support/cms", "--data", data, "--port", port,
                "--fault", json.dumps(MOODS[mood])]
        super().__init__(f"cms-{mood}", folder, argv, ready=lambda: accepts(port))
        self.url = f"http://127.0.0.1:{port}"

    def set_fault(self, fault):
        request = urllib.request.Request(f"{self.url}/control", json.dumps({"fault": fault}).encode(), method="POST")
        urllib.request.urlopen(request, timeout=10).read()


def make_cmses(folder, source, chance):
    small, large = folder / "shop", folder / "large-shop"
    write_data(small, SMALL, chance)
    write_data(large, LARGE, chance)
    return {mood: Cms(mood, folder, source, large if mood == "large" else small, free_port()) for mood in MOODS}


def write_namespaces(path, jobs, cmses):
    """Each shop has key prefixes of its own: they tell whose effect a key at a target is."""
    nobody = f"http://127.0.0.1:{free_port()}"
    shops = {job.shop: {"API_URL": cmses[job.mood].url if job.mood != NOBODY else nobody,
                        "HOMEPAGE_KEY_PREFIX": f"{job.shop}:", "SIMILAR_KEY_PREFIX": f"{job.shop}:similar:",
                        "CROSS_SELL_KEY_PREFIX": f"{job.shop}:"}
             for job in jobs}
    path.write_text(json.dumps(shops, indent=1), encoding="ascii")
