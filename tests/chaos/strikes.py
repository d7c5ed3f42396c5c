"""What is done to the fleet: at random moments, each strike of a kind that the scenario's deck holds."""
import contextlib
import os
import signal
import sqlite3
import time

from client import Unanswered, ask
from programs import DOWN, FROZEN, STOPPING, UP
from shops import PACE, PASSING_FAULTS

MOST_LOST = 2  # workers of one job, below the cap of 3, so that it has to succeed; of its children it is its fate's cap


class Strikes:
    """Each method is one kind: it does it, plans what undoes it, and answers what it did, or "" where it could not."""

    def __init__(self, run):
        self.run, self.chance = run, run.chance
        self.is_paused = False

    def plan(self, deck, seconds):
        """deck: {method name: how many}"""
        for name, count in deck.items():
            for _ in range(count):
                self.run.later(self.chance.uniform(1, seconds), lambda name=name: self.strike(name))

    def strike(self, name):
        did = getattr(self, name)()
        kind = name.replace("_", " ")
        self.run.note_strike(kind if did else f"{kind}: nothing there", did)

    # Choosing

    def up(self, programs):
        return [program for program in programs if program.state == UP and not program.is_over()]

    def pick(self, programs):
        """One of two or more that are up, rather one that is at work: somebody has to go on."""
        up = self.up(programs)
        busy = [program for program in up if self.run.attempt_of(program)]
        return self.chance.choice(busy or up) if len(up) > 1 else None

    def may_hit(self, worker, what):
        attempt = self.run.attempt_of(worker)
        job = attempt and self.run.job_of(attempt.job_id)
        most = MOST_LOST if what == "worker" or not job else job.fate.max_errors - 2
        return attempt is None or self.run.hits[what, attempt.job_id] < most

    def pick_worker(self):
        worker = self.pick(self.run.workers)
        return worker if worker and self.may_hit(worker, "worker") else None

    def note_hit(self, worker, what):
        attempt = self.run.attempt_of(worker)
        if attempt is None:
            return "idle"
        self.run.hits[what, attempt.job_id] += 1
        return f"runs {attempt.job_id}"

    def restart_soon(self, program, at_most_s=1.0):
        self.run.later(self.chance.uniform(0, at_most_s), lambda: program.state == DOWN and self.run.start(program))

    # Kills

    def kill_child(self):
        for worker in self.chance.sample(self.run.workers, len(self.run.workers)):
            attempt = self.run.attempt_of(worker)
            if worker.state == UP and attempt and self.may_hit(worker, "child") and self.kill_child_of(worker):
                return f"{worker.label} {self.note_hit(worker, 'child')}"
        return ""

    def kill_child_of(self, worker):
        pids = worker.child_pids()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(pids)

    def kill_worker(self, worker=None):
        worker = worker or self.pick_worker()
        if worker is None:
            return ""
        did = f"{worker.label} {self.note_hit(worker, 'worker')}"
        self.run.forget_attempt(worker)
        worker.kill()
        self.restart_soon(worker)
        return did

    def kill_gateway(self):
        return self.kill_and_restart(self.pick(self.run.gateways))

    def kill_store(self):
        return self.kill_and_restart(self.run.store_server)

    def kill_queue(self):
        return self.kill_and_restart(self.run.queue)

    def kill_target(self):
        return self.kill_and_restart(self.run.target)

    def kill_and_restart(self, program, at_most_s=0.5):
        if program is None or program.state != UP:
            return ""
        did = program.label
        program.kill()
        self.restart_soon(program, at_most_s)
        return did

    # Stops

    def stop_worker(self):
        worker = self.pick(self.run.workers)
        if worker is None:
            return ""
        worker.ask_to_stop()
        if self.chance.random() < 0.3:
            self.run.later(self.chance.uniform(0, 1), lambda: worker.state == STOPPING and not worker.is_over() and
                           worker.ask_to_stop())
        return worker.label

    def stop_gateway(self):
        gateway = self.pick(self.run.gateways)
        if gateway is None:
            return ""
        gateway.ask_to_stop()
        return gateway.label

    # Freezes

    def freeze(self, program, seconds):
        did = f"{program.label} for {seconds:.1f} s"
        program.freeze()
        self.run.later(seconds, lambda: program.state == FROZEN and program.thaw())
        return did

    def make_zombie(self, share_with_child=0.3):
        """About as long as the lease, or longer; now and then with its child, so that what it had begun to publish comes late too."""
        worker = self.pick_worker()
        if worker is None:
            return ""
        seconds = self.run.scenario.lease_s * self.chance.uniform(0.9, 1.8)
        children = worker.child_pids() if self.chance.random() < share_with_child else []
        did = f"{self.freeze(worker, seconds)} {self.note_hit(worker, 'worker')}{' with its child' if children else ''}"
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        self.run.later(seconds * self.chance.uniform(0.9, 1.1), lambda: self.thaw_children(children))
        return did

    def thaw_children(self, pids):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def freeze_gateway(self):
        gateway = self.pick(self.run.gateways)
        return self.freeze(gateway, self.chance.uniform(0.5, 4)) if gateway else ""

    def freeze_target(self):
        """Who publishes meanwhile stands in the middle of it."""
        return self.freeze_server(self.run.target, ["kill_child", "kill_worker", "make_zombie"])

    def freeze_target_long(self):
        """Beyond the lease, with a zombie in the middle of publishing: what it had sent waits beside what comes from who took
        its job over."""
        if self.run.target.state != UP:
            return ""
        self.run.later(self.chance.uniform(0.2, 1), lambda: self.make_zombie(share_with_child=1))
        return self.freeze(self.run.target, self.run.scenario.lease_s * self.chance.uniform(1.4, 1.8))

    def freeze_queue(self):
        """For less than a lease: answers are late, or lost with who waits for them."""
        return self.freeze_server(self.run.queue, ["kill_worker", "kill_gateway", "make_zombie", "kill_frozen_queue"])

    def freeze_store(self):
        """Who ends a job meanwhile waits with it. A server stands still; a file is locked by somebody else."""
        strikes = ["kill_worker", "kill_gateway", "make_zombie"]
        if self.run.store_server:
            return self.freeze_server(self.run.store_server, strikes)
        seconds = self.chance.uniform(0.5, 2)
        with contextlib.suppress(sqlite3.OperationalError):  # the file is not there yet, or locked for long
            locker = sqlite3.connect(self.run.store.path, timeout=1, isolation_level=None)
            locker.execute("BEGIN IMMEDIATE")
            self.run.later(seconds, locker.close)
            self.strike_while_frozen(seconds, strikes)
            return f"for {seconds:.1f} s"
        return ""

    def freeze_server(self, server, strikes):
        if server.state != UP:
            return ""
        seconds = self.chance.uniform(0.3, self.run.scenario.lease_s / 2)
        self.strike_while_frozen(seconds, strikes)
        return self.freeze(server, seconds)

    def strike_while_frozen(self, seconds, strikes):
        """Most of the time, just before it goes on: what waits for it by then is struck in the middle of a step."""
        if self.chance.random() < 0.7:
            self.run.later(seconds * 0.9, lambda: self.strike(self.chance.choice(strikes)))

    def kill_frozen_queue(self):
        """What was sent to it is not carried out, or what was carried out is not answered."""
        if self.run.queue.state != FROZEN:
            return ""
        self.run.queue.state = UP
        return self.kill_queue()

    # The queue's Redis

    def fail_over(self):
        """The replica hears no more of its master, which goes on for a while and dies; then the replica has its address,
        refuses to be written to, and becomes a master."""
        master, replica = self.run.queue, self.run.replica
        if master.state != UP or replica is None:
            return ""
        self.run.replica = None
        replica.admin().replicaof("127.0.0.1", 1)
        self.run.later(self.chance.uniform(0.2, 1), lambda: self.replace(master, replica))
        return f"{master.label} to {replica.label}"

    def replace(self, master, replica):
        master.kill()
        self.run.queue = replica
        self.run.queue_watch.forget()
        replica.open()
        self.run.later(self.chance.uniform(0, 1), lambda: self.promote(replica))

    def promote(self, replica):
        replica.admin().replicaof("NO", "ONE")
        self.run.later(1, self.run.add_replica)

    def freeze_queue_long(self):
        return self.freeze(self.run.queue, self.run.scenario.lease_s * 1.5)

    def end_queue_long(self):
        self.run.queue.kill()
        self.run.later(self.run.scenario.lease_s * 1.5, lambda: self.run.start(self.run.queue))
        return self.run.queue.label

    # The fleet's switches, and the shops

    def pause(self):
        """Nothing starts from the moment that the pause was answered to the one that the end of it was asked for."""
        if self.is_paused:
            return ""  # the end of one would end both
        self.is_paused = True  # perhaps also where it was not answered
        since = self.tell_queue("pause")
        seconds = self.chance.uniform(1, 3)
        self.run.later(seconds, lambda: self.resume(since))
        return f"for {seconds:.1f} s" if since else ""

    def resume(self, since):
        if since is not None:
            self.run.pauses.append((since, time.time()))
        self.is_paused = self.tell_queue("resume") is None
        if self.is_paused:
            self.run.later(0.2, lambda: self.resume(None))

    def tell_queue(self, what):
        """When it was answered; None where it was not, or not well."""
        with contextlib.suppress(Unanswered):
            if ask(self.chance.choice(self.run.gateway_ports), "POST", f"/v1/queue/{what}", timeout_s=2).status < 300:
                return time.time()
        return None

    def upset_cms(self):
        fault = self.chance.choice(PASSING_FAULTS)
        self.run.cmses["moody"].set_fault(fault)
        self.run.later(self.chance.uniform(0.5, 2), lambda: self.run.cmses["moody"].set_fault(PACE))
        return fault["kind"]

    def doom(self):
        """Each tick, no strike of the deck: who is doomed is killed whenever it runs."""
        for worker in self.run.workers:
            attempt = self.run.attempt_of(worker)
            job = attempt and self.run.job_of(attempt.job_id)
            if not job or not job.is_doomed or attempt.is_struck or worker.state != UP:
                continue
            attempt.is_struck = True
            if job.fate.doom == "child":
                self.run.note_strike("kill doomed child", self.kill_child_of(worker) and worker.label)
            else:
                self.run.note_strike("kill doomed worker", self.kill_worker(worker))
