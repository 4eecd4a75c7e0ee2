"""A host of its own in a temporary folder: three installed programs, a configuration, signed releases."""
import hashlib
import json
import os
import pathlib
import re
import subprocess

NAMES = ("alpha", "beta", "gamma")
SYNC_CALLS = ("fsync", "fdatasync", "syncfs", "sync", "msync")
TRUE = os.path.realpath("/bin/true")


class Failed(Exception):
    """A command that a figure needs did not do what it should."""


def toml_list(words):
    return "[" + ", ".join(json.dumps(str(word)) for word in words) + "]"


def run(words, codes=(0,)):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode not in codes:
        raise Failed(f"exit {done.returncode}: {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return done


class Cost:
    """What one run of a command cost."""

    def __init__(self, report):
        wall, cpu, peak, self.code = (int(word) for word in report.split())
        self.wall_ms, self.cpu_ms, self.peak_mib = wall / 1000, cpu / 1000, peak / 1024


def measure(tools, words, scratch, codes=(0,)):
    """Runs a command under update_measure, its output thrown away, and returns its Cost."""
    report, errors = str(scratch / "cost"), str(scratch / "errors")
    create = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    child = os.posix_spawn(
        str(tools / "update_measure"), ["update_measure", *map(str, words)], os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                      (os.POSIX_SPAWN_OPEN, 2, errors, create, 0o600),
                      (os.POSIX_SPAWN_OPEN, 3, report, create, 0o600)])
    os.waitpid(child, 0)
    text = pathlib.Path(report).read_text()
    cost = Cost(text) if text else None
    if cost is None or cost.code not in codes:
        raise Failed(f"{' '.join(map(str, words))}: {text}{pathlib.Path(errors).read_text()}")
    return cost


class Host:
    def __init__(self, program, root, size=None, doctor=(TRUE,)):
        """`size`: bytes of each program; None: programs that can be executed."""
        self.program, self.root, self.size = program, root, size
        self.state, self.bin, self.release = root / "state", root / "bin", root / "release"
        self.config, self.number = root / "update.toml", 0
        for folder in (self.bin, self.release, root / "keys"):
            folder.mkdir(parents=True)
        run(["minisign", "-G", "-W", "-p", root / "keys/bench.pub", "-s", root / "bench.key"])
        self.config.write_text(
            f'product = "bench"\n[paths]\nstate = "{self.state}"\nstaging = "{root}/staging"\n'
            + "".join(f'[[file]]\nname = "{n}"\ndestination = "{self.bin}/{n}"\n' for n in NAMES)
            + f"[restart]\ncommand = {toml_list([TRUE])}\n"
            f'[doctor]\ncommand = {toml_list(doctor)}\nattempts = 1\npasses = 1\nsoak = "0s"\n'
            f'interval = "10ms"\n[trust]\nkeys = {toml_list([root / "keys"])}\n')
        for name in NAMES:
            self._write(self.bin / name, f"old {name}")

    def _write(self, path, label):
        """Bytes of its own for each label: in front of random ones, or behind a program's."""
        mark = hashlib.sha256(label.encode()).digest()
        if self.size is None:
            path.write_bytes(pathlib.Path(TRUE).read_bytes() + mark)
        elif path.exists():
            with path.open("r+b") as file:
                file.write(mark)
        else:
            path.write_bytes(mark + os.urandom(self.size - len(mark)))
        path.chmod(0o755)

    def make_release(self, folder=None):
        """Signs the next version, in the one release folder or in one that is kept."""
        folder = folder or self.release
        folder.mkdir(exist_ok=True)
        self.number += 1
        for name in NAMES:
            self._write(folder / name, f"{self.number} {name}")
        run(self.command("release", "make", folder, "--release-version", f"1.{self.number}.0",
                         "--sign", self.root / "bench.key"))
        return folder

    def command(self, *words):
        return [self.program, "--config", self.config, *words]

    def apply(self, release=None):
        run(self.command("apply", "--allow-downgrade", release or self.release))

    def digests(self):
        return [hashlib.sha256(path.read_bytes()).hexdigest()
                for folder in self.root.iterdir() if folder.is_dir() and folder.name.startswith(("bin", "release"))
                for path in folder.iterdir() if path.name in NAMES]

    def drop_previous(self):
        for name in NAMES:
            (self.bin / f"{name}.previous").unlink(missing_ok=True)

    def wal_bytes(self):
        wal = self.state / "journal.db-wal"
        return wal.stat().st_size if wal.exists() else 0

    def traced(self, *words):
        """Runs the program under strace: its sync calls, the folders that it made, the generations that it stored.

        Without -f, since only the main thread changes anything, and what it starts is not to be counted."""
        log = self.root / "strace.log"
        calls = ",".join("?" + call for call in (*SYNC_CALLS, "mkdir", "mkdirat", "linkat", "renameat", "renameat2"))
        # LeakSanitizer cannot work beside a tracer.
        run(["env", "ASAN_OPTIONS=detect_leaks=0", "strace", "-qq", "-e", "signal=none", "-e", "trace=" + calls,
             "-o", log, *self.command(*words)])

        def count(pattern):
            lines = [line for line in log.read_text().splitlines() if re.match(pattern, line)]
            return sum("= -1" not in line for line in lines)
        return (count(rf"({'|'.join(SYNC_CALLS)})\("), count(r"mkdir(at)?\("),
                count(r'(link|rename)at2?\(.*, "[0-9a-f]{64}"'))
