"""What was promised and did not hold: collected while the run goes on, told with all that is known of the job at its end."""
import threading


class Promises:
    def __init__(self):
        self.lock = threading.Lock()
        self.broken_ones = []
        self.unjudged = {}

    def broken(self, promise, what, job_id=None):
        with self.lock:
            if (promise, what, job_id) not in self.broken_ones:
                self.broken_ones.append((promise, what, job_id))

    def expect(self, holds, promise, what, job_id=None):
        if not holds:
            self.broken(promise, what, job_id)
        return holds

    def unjudge(self, promise):
        """Counts where a promise could not be judged: an observer that is blind must not go unnoticed."""
        with self.lock:
            self.unjudged[promise] = self.unjudged.get(promise, 0) + 1

    @property
    def all_hold(self):
        return not self.broken_ones
