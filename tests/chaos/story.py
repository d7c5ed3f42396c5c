"""The end of a run in words: figures, and for each broken promise all that is known of its job."""
import collections
import datetime
import json

MOST_PROMISES, MOST_LINES = 12, 60


def clock(unix_s):
    return datetime.datetime.fromtimestamp(unix_s, datetime.timezone.utc).strftime("%H:%M:%S.%f")[:-3]


def tell(run, options):
    tell_figures(run)
    broken = run.promises.broken_ones
    if not broken:
        print("chaos: all promises held", flush=True)
        return
    print(f"\n{len(broken)} broken promises:")
    for promise, what, job_id in broken[:MOST_PROMISES]:
        print(f"\nBROKEN {promise}: {what}" + (f" (job {job_id})" if job_id else ""))
        if job_id:
            tell_job(run, job_id)
    if len(broken) > MOST_PROMISES:
        print(f"\n… and {len(broken) - MOST_PROMISES} more:")
        for promise, what, job_id in broken[MOST_PROMISES:]:
            print(f"  {promise}: {what.splitlines()[-1]} {job_id or ''}")
    print(f"\nchaos: seed {options.seed}; logs in {run.folder}", flush=True)


def tell_figures(run):
    ends = collections.Counter((job.fate.name, run.documents.documents.get(job.id, {}).get("state", "nothing"))
                               for job in run.jobs)
    print(f"\nafter {run.seconds:.0f} s: jobs by fate and end")
    for (fate, end), count in sorted(ends.items()):
        print(f"  {count:4} {fate}: {end}")
    figures = {**run.tally, "takeovers": takeovers(run), "attempts started": len(run.attempts),
               "keys published": len(run.target_watch.effects), "publishes refused by a target": run.target_watch.refused,
               "looks at the queue": run.queue_watch.looks}
    figures.update({f"not judged: {what}": count for what, count in run.promises.unjudged.items()})
    for name, count in sorted(figures.items()):
        print(f"  {count:4} {name}")


def takeovers(run):
    """Starts of a job that was running already."""
    last, count = {}, 0
    for _, job_id, state in run.queue_watch.events:
        count += state == "running" and last.get(job_id) == "running"
        last[job_id] = state
    return count


def tell_job(run, job_id):
    lines = [(at, f"queue      {state}") for at, of, state in run.queue_watch.events if of == job_id]
    lines += [(at, f"strike     {kind} {did}") for at, kind, did in run.strikes_done if job_id in did]
    lines += logged(run, job_id)
    for at, text in sorted(lines, key=lambda line: line[0])[-MOST_LINES:]:
        print(f"  {clock(at)} {text[:400]}")
    document = run.documents.documents.get(job_id)
    print(f"  document: {json.dumps(document, default=str)}")


def logged(run, job_id):
    for path in sorted(run.folder.glob("*.log")):
        for line in path.read_text(errors="replace").splitlines():
            if job_id in line and line.startswith("{") and '"method":"GET"' not in line:
                entry = json.loads(line)
                at = datetime.datetime.fromisoformat(entry.pop("time").replace("Z", "+00:00")).timestamp()
                rest = " ".join(f"{key}={value}" for key, value in entry.items() if key not in ("job", "level", "event"))
                yield at, f"{path.stem:10} {entry['event']} {rest}"
