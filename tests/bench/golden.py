"""The golden data sets, where they lie beside the checkout (RECFLEET_SHARED, else ../shared)."""
import array
import csv
import io
import json
import lzma
import os
from pathlib import Path

NAMES = ("online_retail", "retailrocket")


def folder(source):
    """And why there is none."""
    shared = Path(os.environ.get("RECFLEET_SHARED") or source.parent / "shared")
    found = shared / "golden"
    return (found, "") if found.is_dir() else (None, f"no golden data in {found}")


def open_text(path):
    if path.exists():
        return open(path, encoding="utf-8")
    return io.TextIOWrapper(lzma.open(path.with_name(path.name + ".xz")), encoding="utf-8")


def unpack_events(root, name, out):
    with open_text(root / name / "events.jsonl") as events, open(out, "w", encoding="utf-8") as file:
        for line in events:
            file.write(line)


def write_matrix(root, name, out):
    """matrix.csv of the variant `intended` as matrix_file.h has it."""
    with open_text(root / name / "intended" / "matrix.csv") as file:
        entries = [(row["user_uid"], int(row["product_id"]), float(row["bm25"])) for row in csv.DictReader(file)]
    entries.sort()
    products = {product: column for column, product in enumerate(sorted({entry[1] for entry in entries}))}
    offsets, columns, values = array.array("q", [0]), array.array("i"), array.array("f")
    for place, (user, product, value) in enumerate(entries):
        if place > 0 and user != entries[place - 1][0]:
            offsets.append(place)
        columns.append(products[product])
        values.append(value)
    offsets.append(len(entries))
    with open(out, "wb") as file:
        array.array("Q", [len(offsets) - 1, len(products), len(entries)]).tofile(file)
        for part in (offsets, columns, values):
            part.tofile(file)


def rows_of(activity):
    """The product ids of an activity; none where the pipeline drops it (steps 1 to 3 of the golden README)."""
    info = activity["info"]
    if not isinstance(info, dict) or not info or activity["user_uid"] is None:
        return []
    if activity["action"] in ("purchase", "initiate_checkout", "add_to_wishlist"):
        products = info.get("content_ids", "").strip(",").split(",")
    elif activity["action"] == "add_to_cart" or activity["action"] == "content_view" and info.get("referrer") is not None:
        products = [info.get("id", "")]
    else:
        return []
    return [int(product) for product in products if product not in ("", "nan")]


def write_interactions(root, name, out, copies=1, share=1):
    """The cleaned rows of a data set as the cache's table; `copies` times, each with users of its own; of a share of 1/n
    only each n-th user."""
    seen, users, rows = set(), {}, []
    with open_text(root / name / "events.jsonl") as events:
        for line in events:
            activity = json.loads(line)
            for product in rows_of(activity):
                if (activity["id"], product) not in seen:
                    seen.add((activity["id"], product))
                    place = users.setdefault(activity["user_uid"], len(users))
                    if place % share == 0:
                        rows.append((activity["id"], activity["action"], activity["user_uid"], activity["created"], product))
    with open(out, "w", encoding="utf-8") as file:
        file.write("id,action,user_uid,created,product_id\n")
        for copy in range(copies):
            for number, action, user, created, product in rows:
                file.write(f"{number + copy * 100000000},{action},{user}{copy or ''},{created},{product}\n")


def write_recommendable(root, name, out):
    with open_text(root / name / "products.json") as file:
        products = json.load(file)
    with open(out, "w", encoding="ascii") as file:
        for product in products:
            if product["status"] == "Published" and (product["stock"] or 0) > 0:
                file.write(f"{product['id']}\n")
