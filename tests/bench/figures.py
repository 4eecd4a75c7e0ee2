#!/usr/bin/env python3
"""Measures the figures that this project promises, each in one run with the two commands in turns.

Prints one line a figure with its limit and "ok" or "OVER"; exit 1 if one is over. Medians. The tools are the targets
update_floor, update_measure, update_loop_reader, update_make_history and update_benchmark; build all in Release.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

from bench_host import NAMES, TRUE, Failed, Host, measure, run

MIB = 1 << 20
SKIPPED = 77
MIN_READER_ROUNDS = 3


class Bench:
    def __init__(self, options, folder):
        self.program, self.tools = options.program.resolve(), options.tools.resolve()
        self.source, self.smoke, self.folder = options.source, options.smoke, folder
        self.runs = options.runs or (2 if self.smoke else 15)
        self.updates = options.updates or (20 if self.smoke else 1000)
        self.hosts = self.over = 0

    def scaled(self, full, small):
        return small if self.smoke else full

    def host(self, **more):
        self.hosts += 1
        return Host(self.program, self.folder / f"host{self.hosts}", **more)

    def measure(self, words, codes=(0,)):
        return measure(self.tools, words, self.folder, codes)

    def say(self, name, text, limit="", good=None):
        """good: None where the figure is there for scale only, or its limit is one of time in a smoke run."""
        self.over += good is False
        verdict = {None: "-", True: "ok", False: "OVER"}[good]
        print(f"{verdict:4}  {name}: {text}" + (f"  (limit {limit})" if limit else ""), flush=True)

    def ratio(self, name, value, base, base_name, limit):
        """value and base: medians in milliseconds."""
        self.say(name, f"{value:.2f} ms = {value / base:.2f} x {base_name} ({base:.2f} ms)", f"{limit} x",
                 None if self.smoke else value <= limit * base)

    def in_turns(self, runs, *actions):
        """Runs each action once in each round and returns the costs, one list an action."""
        costs = [[action() for action in actions] for _ in range(runs)]
        return [list(column) for column in zip(*costs)]


def median_wall(costs):
    return statistics.median(cost.wall_ms for cost in costs)


def floor_action(bench, host):
    target = host.root / "floor"
    target.mkdir()
    words = [bench.tools / "update_floor"]
    for name in NAMES:
        words += [host.release / name, target / name]

    def action():
        os.sync()
        return bench.measure(words)
    return action


def apply_action(bench, host, fresh=False):
    def action():
        if fresh:
            shutil.rmtree(host.state, ignore_errors=True)
            host.drop_previous()
        host.make_release()
        os.sync()  # neither command pays for the write-back of what was made for it
        return bench.measure(host.command("apply", host.release))
    return action


def steady_host(bench, size):
    """One whose journal knows the present files, with all its generations."""
    host = bench.host(size=size)
    for _ in range(bench.scaled(5, 2)):
        host.make_release()
        host.apply()
    return host


def figure_apply(bench):
    host = steady_host(bench, bench.scaled(30 * MIB, 1 << 16))
    applied, floor = bench.in_turns(bench.runs, apply_action(bench, host), floor_action(bench, host))
    bench.ratio("apply of 3 x 30 MiB", median_wall(applied), median_wall(floor), "floor", 1.3)
    shutil.rmtree(host.root)


def figure_first(bench):
    host = bench.host(size=bench.scaled(30 * MIB, 1 << 16))
    applied, floor = bench.in_turns(bench.runs, apply_action(bench, host, fresh=True), floor_action(bench, host))
    bench.ratio("first apply of 3 x 30 MiB", median_wall(applied), median_wall(floor), "floor", 1.6)
    shutil.rmtree(host.root)


def make_package(host, number):
    tree = host.root / f"package{number}"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(f"Package: bench\nVersion: 1.{number}\nArchitecture: all\n"
                                         "Maintainer: nobody <nobody@example.org>\nDescription: bytes\n")
    (tree / "opt").mkdir()
    host.make_release()
    for name in NAMES:
        shutil.copy(host.release / name, tree / "opt" / name)
    package = host.root / f"{number}.deb"
    run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, package])
    shutil.rmtree(tree)
    return package


def figure_dpkg(bench):
    if shutil.which("dpkg-deb") is None or os.geteuid() != 0:
        return bench.say("dpkg -i", "left out: needs dpkg-deb, and root to unpack")
    host = bench.host(size=bench.scaled(30 * MIB, 1 << 16))
    admin = host.root / "installed/var/lib/dpkg"
    for folder in ("info", "updates", "triggers"):
        (admin / folder).mkdir(parents=True)
    for file in ("status", "available"):
        (admin / file).touch()
    packages = [make_package(host, number) for number in (1, 2)]
    turn = [0]

    def install():
        turn[0] += 1
        os.sync()
        return bench.measure(["dpkg", f"--root={host.root / 'installed'}", "--force-downgrade", "-i",
                              packages[turn[0] % 2]])
    install()
    installed, floor = bench.in_turns(min(bench.runs, 5), install, floor_action(bench, host))
    base = median_wall(floor)
    bench.say("dpkg -i of 3 x 30 MiB, not compressed", f"{median_wall(installed):.0f} ms = "
              f"{median_wall(installed) / base:.2f} x floor ({base:.0f} ms)")
    shutil.rmtree(host.root)


def traced_apply(host, release):
    """The kind of this apply, its sync calls, and how many it may make: files + 2 x folders + 5, and more for what
    this run did besides."""
    wal_before, first = host.wal_bytes(), not host.state.exists()
    syncs, folders, generations = host.traced("apply", "--allow-downgrade", release)
    stored = generations > 0
    checkpoint, after_one = host.wal_bytes() == 0, wal_before == 0 and not first
    kinds = [kind for kind, there in (("first run", first), ("generation stored", stored), ("checkpoint", checkpoint),
                                      ("after a checkpoint", after_one), ("folder made", folders and not first))
             if there]
    expected = len(NAMES) + 2 + 5 + 2 * first + folders + stored + 2 * checkpoint + after_one
    return ", ".join(kinds) or "steady", syncs, expected


def figure_syncs(bench):
    host, seen = bench.host(size=4096), {}
    releases = [host.make_release(host.root / f"release{number}") for number in (1, 2)]
    for number in range(40):
        if number > 20:  # where there is no `.previous`, none becomes a generation
            host.drop_previous()
        kind, *counts = traced_apply(host, releases[number % 2])
        if counts not in seen.setdefault(kind, []):
            seen[kind].append(counts)
    for kind in ("first run", "steady", "generation stored", "checkpoint", "after a checkpoint"):
        if kind not in seen:
            raise Failed(f"no apply of the kind \"{kind}\" was seen, only {sorted(seen)}")
    for kind, counts in sorted(seen.items()):
        for syncs, expected in counts:
            bench.say(f"sync calls, apply, {kind}", str(syncs), f"exactly {expected}", syncs == expected)
    most = max(syncs for kind, counts in seen.items() if "first" not in kind and "made" not in kind
               for syncs, _ in counts)
    bench.say("sync calls, most of any apply on an existing state", str(most), "13", most <= 13)
    syncs, *_ = host.traced("recover")
    bench.say("sync calls, idle recover", str(syncs), "exactly 0", syncs == 0)


def figure_recover(bench):
    host = bench.host(size=4096)
    releases = [host.make_release(host.root / f"release{number}") for number in (1, 2)]
    for number in range(bench.scaled(100, 5)):
        host.apply(releases[number % 2])
    if host.wal_bytes() == 0:  # the slower case: the journal's newest pages are in its WAL
        host.apply(releases[bench.scaled(0, 1)])
    read = ["sqlite3", "-readonly", host.state / "journal.db", "select count(*) from sqlite_master"]
    idle, sqlite = bench.in_turns(bench.scaled(200, 3), lambda: bench.measure(host.command("recover")),
                                  lambda: bench.measure(read))
    bench.ratio("idle recover", median_wall(idle), median_wall(sqlite), "sqlite3 -readonly", 2)
    peak = max(cost.peak_mib for cost in idle)
    bench.say("idle recover, peak resident memory", f"{peak:.1f} MiB", "16", None if bench.smoke else peak < 16)


def figure_history(bench):
    commands = []
    for transactions in (bench.scaled(100_000, 300), 100):
        host = bench.host(size=4096)
        host.state.mkdir(mode=0o700)
        run([bench.tools / "update_make_history", host.state / "journal.db", transactions])
        commands.append(host.command("history", "-n", "20"))
    many, few = bench.in_turns(bench.scaled(50, 2), *[lambda words=words: bench.measure(words) for words in commands])
    bench.ratio("history -n 20 with 100,000 transactions", median_wall(many), median_wall(few), "with 100", 3)


def update_once(host, sick, releases, number):
    """In turns: an update, its rollback, and an update that its doctor fails (undone, exit 3)."""
    if number % 3 == 0:
        host.apply(releases[number // 3 % 2])
    elif number % 3 == 1:
        run(host.command("rollback"))
    else:
        sick.touch()
        run(host.command("apply", "--allow-downgrade", releases[number // 3 % 2]), codes=(3,))
        sick.unlink()


def figure_readers(bench):
    sick = bench.folder / "sick"
    host = bench.host(doctor=(shutil.which("test"), "!", "-e", str(sick)))
    releases = [host.make_release(host.root / f"release{number}") for number in (1, 2)]
    reader = subprocess.Popen(
        [bench.tools / "update_loop_reader", "3", *[host.bin / name for name in NAMES], "--", *host.digests()],
        stdout=subprocess.PIPE, text=True)
    try:
        reader.stdout.readline()
        for number in range(bench.updates):
            update_once(host, sick, releases, number)
    finally:
        reader.send_signal(signal.SIGTERM)
        counts = json.loads(reader.communicate()[0])
    bad = {kind: count for kind, count in counts.items() if kind != "rounds" and count}
    bench.say(f"readers during {bench.updates} updates, rollbacks and undone updates",
              f"{counts['rounds'] * len(NAMES)} reads and executions; missing {counts['missing']}, torn "
              f"{counts['torn']}, not executable {counts['not_executable']}, else failed {counts['failed']}",
              "0 of each", not bad and counts["rounds"] >= MIN_READER_ROUNDS)


def first_verification(bench):
    done = run([bench.tools / "update_benchmark", "--benchmark_filter=^VerifySignatureFirst",
                "--benchmark_format=json"])
    return json.loads(done.stdout)["benchmarks"][0]["real_time"] / 1000


def figure_signature(bench):
    host = steady_host(bench, bench.scaled(MIB, 4096))
    verified, applied = bench.in_turns(bench.runs, lambda: first_verification(bench), apply_action(bench, host))
    share = 100 * statistics.median(verified) / median_wall(applied)
    bench.say("verifying a signature, of an apply of 3 x 1 MiB", f"{statistics.median(verified):.2f} ms of "
              f"{median_wall(applied):.2f} ms = {share:.1f} %", "5 %", None if bench.smoke else share <= 5)


def figure_loop(bench):
    if bench.source is None:
        return bench.say("the everyday loop", "left out: asked for with --source DIR")
    # The compiler cache would hide what is measured.
    copy, build = bench.folder / "source", bench.folder / "build"
    shutil.copytree(bench.source, copy, ignore=shutil.ignore_patterns(".git", "build"))
    compile_all = ["env", "CCACHE_DISABLE=1", "cmake", "--build", build, "--parallel", "2", "--target",
                   "banger-update", "unit_tests"]
    took = [bench.measure(words).wall_ms / 1000 for words in (
        ["cmake", "-S", copy, "--preset", "dev", "-B", build], compile_all,
        ["ctest", "--test-dir", build, "--parallel", "2", "-L", "unit"])]
    bench.say("configure, build, unit tests", f"{sum(took):.0f} s ({', '.join(f'{s:.0f}' for s in took)})", "180 s",
              sum(took) <= 180)
    (copy / "engine/step/swap.cpp").touch()
    again = bench.measure(compile_all).wall_ms / 1000
    bench.say("build after touching one step", f"{again:.1f} s", "20 s", again <= 20)


FIGURES = {"apply": figure_apply, "first": figure_first, "dpkg": figure_dpkg, "syncs": figure_syncs,
           "recover": figure_recover, "history": figure_history, "readers": figure_readers,
           "signature": figure_signature, "loop": figure_loop}


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", type=pathlib.Path, required=True, help="banger-update")
    parser.add_argument("--tools", type=pathlib.Path, required=True, help="the folder of the tools")
    parser.add_argument("--figure", choices=FIGURES, action="append", help="only this one (may be repeated)")
    parser.add_argument("--runs", type=int, help="rounds of an apply (default: 15)")
    parser.add_argument("--updates", type=int, help="for the readers (default: 1000)")
    parser.add_argument("--folder", type=pathlib.Path, help="where to work; its file system is what is measured")
    parser.add_argument("--source", type=pathlib.Path, help="a checkout, to measure the everyday loop too")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, no limits of time")
    return parser.parse_args()


def main():
    options = parse()
    missing = [tool for tool in ("minisign", "strace", "sqlite3") if shutil.which(tool) is None]
    if missing:
        print("skipped: not installed: " + ", ".join(missing))
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="update-figures-", dir=options.folder) as folder:
        kind = run(["stat", "-f", "-c", "%T", folder]).stdout.strip()
        print(f"on {kind}, {os.cpu_count()} processors" + (", tiny sizes" if options.smoke else ""), flush=True)
        bench = Bench(options, pathlib.Path(folder).resolve())
        for name in options.figure or FIGURES:
            FIGURES[name](bench)
    return 1 if bench.over else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        sys.exit(str(failure))
