"""Peers from PyPI in a virtual environment of their own, under build/; `implicit` with the same BLAS kernels as ours."""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

NAME = "implicit 0.7.3"


class Environment:
    """`missing` says why a package is not there; else run() answers what a script here prints."""

    def __init__(self, source, name, packages, modules):
        self.folder = source / "build" / "bench-venv"
        self.python = self.folder / "bin" / "python"
        self.missing = self._install(name, packages, modules)

    def _install(self, name, packages, modules):
        test = ("-c", f"import {', '.join(modules)}")
        if self.python.exists() and self._tries(*test).returncode == 0:
            return ""
        made = subprocess.run([sys.executable, "-m", "venv", self.folder], capture_output=True, text=True, check=False)
        if made.returncode == 0:
            made = self._tries("-m", "pip", "install", "--quiet", "--prefer-binary", *packages)
        if made.returncode == 0:
            made = self._tries(*test)
        reason = (made.stderr or made.stdout).strip().splitlines()
        return f"{name} cannot be installed: {reason[-1] if reason else made.returncode}" if made.returncode else ""

    def _tries(self, *arguments):
        return subprocess.run([self.python, *arguments], capture_output=True, text=True, check=False)

    def run(self, script, arguments, settings):
        path = Path(__file__).resolve().with_name(script)
        answer = subprocess.run([self.python, path, *map(str, arguments)], env={**os.environ, **settings},
                                capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            raise RuntimeError(f"{script}: {answer.stderr or answer.returncode}")
        return json.loads(answer.stdout)


class Peer:
    """`missing` says why there is none; else run() answers what als_implicit.py prints."""

    def __init__(self, source, backend):
        self.kernels = re.sub(r"^cpu ", "", backend)
        self.environment = Environment(source, NAME, ["implicit==0.7.3", "threadpoolctl"], ["implicit", "threadpoolctl"])
        self.missing = self.environment.missing
        if not self.missing:
            self.text = json.dumps(self.run("kernels", []))

    def run(self, task, arguments):
        return self.environment.run("als_implicit.py", [task, *arguments],
                                    {"OPENBLAS_CORETYPE": self.kernels, "OPENBLAS_NUM_THREADS": "1"})


class Pandas:
    """`missing` says why there is none; else run() answers what pipeline_pandas.py prints."""

    NAME = "pandas 2.3.3"

    def __init__(self, source):
        self.environment = Environment(source, self.NAME, ["pandas==2.3.3", "scipy"], ["pandas", "scipy.sparse"])
        self.missing = self.environment.missing

    def run(self, task, arguments):
        return self.environment.run("pipeline_pandas.py", [task, *arguments], {})
