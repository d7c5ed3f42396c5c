"""A row of results, and what several rounds come to."""
import dataclasses
import statistics


@dataclasses.dataclass
class Row:
    case: str
    measure: str
    unit: str
    value: float
    peer: str = ""           # where there is no peer_value: why
    peer_value: float | None = None
    smaller_is_better: bool = False
    note: str = ""

    @property
    def ratio(self):
        """Above 1 where ours is better."""
        if not self.peer_value or not self.value:
            return None
        return self.peer_value / self.value if self.smaller_is_better else self.value / self.peer_value

    def as_json(self, bench):
        return {"bench": bench, "case": self.case, "measure": self.measure, "unit": self.unit, "value": self.value,
                "peer": self.peer, "peer_value": self.peer_value, "ratio": self.ratio}


def median(values):
    return statistics.median(values)


def mean(values):
    return statistics.fmean(values)


def number(value):
    """With as many digits as matter."""
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4g}"


def spread(values):
    return f"{number(min(values))} to {number(max(values))} in {len(values)} rounds"
