"""The golden data sets, where they lie beside the checkout (RECFLEET_SHARED, else ../shared)."""
import array
import csv
import io
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
