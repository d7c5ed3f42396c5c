"""`implicit` from PyPI in a virtual environment of its own, under build/, and the same BLAS kernels for it."""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

PACKAGES = ["implicit==0.7.3", "threadpoolctl"]
NAME = "implicit 0.7.3"


class Peer:
    """`missing` says why there is none; else run() answers what als_implicit.py prints."""

    def __init__(self, source, backend):
        self.script = Path(__file__).resolve().with_name("als_implicit.py")
        self.folder = source / "build" / "bench-venv"
        self.python = self.folder / "bin" / "python"
        self.kernels = re.sub(r"^cpu ", "", backend)
        self.missing = self._install()
        if not self.missing:
            self.text = json.dumps(self.run("kernels", []))

    def _install(self):
        if self.python.exists() and self._tries("-c", "import implicit, threadpoolctl").returncode == 0:
            return ""
        made = subprocess.run([sys.executable, "-m", "venv", self.folder], capture_output=True, text=True, check=False)
        if made.returncode == 0:
            made = self._tries("-m", "pip", "install", "--quiet", "--prefer-binary", *PACKAGES)
        if made.returncode == 0:
            made = self._tries("-c", "import implicit, threadpoolctl")
        reason = (made.stderr or made.stdout).strip().splitlines()
        return f"{NAME} cannot be installed: {reason[-1] if reason else made.returncode}" if made.returncode else ""

    def _tries(self, *arguments):
        return subprocess.run([self.python, *arguments], capture_output=True, text=True, check=False)

    def run(self, task, arguments):
        environment = {**os.environ, "OPENBLAS_CORETYPE": self.kernels, "OPENBLAS_NUM_THREADS": "1"}
        answer = subprocess.run([self.python, self.script, task, *map(str, arguments)], env=environment,
                                capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            raise RuntimeError(f"als_implicit.py: {answer.stderr}")
        return json.loads(answer.stdout)
