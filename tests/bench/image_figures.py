#!/usr/bin/env python3
"""Measures the images side by side in one run: our command, our library call, the original flow (mkfs.ext4, then
debugfs once an entry), and mke2fs -d, each until the file and its folder are synced. Medians of --runs rounds.

As root it also measures clones on a loop-mounted xfs with reflinks, and the bytes that a work disk writes there. The
tools are the targets update_measure and update_image_library; build all in Release.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

from bench_host import Failed, measure, run

MIB = 1 << 20
GIB = 1 << 30
SKIPPED = 77
PATIENCE_S = 60  # mke2fs -d takes time by the square of a folder's entries
TIMED_OUT = 124  # timeout(1)
DEBUGFS_ENTRIES = 300  # of more than that, the original flow is timed for these and scaled
os.environ["PATH"] += ":/usr/sbin:/sbin"


def sync_path(path):
    for name in (path, path.parent):
        descriptor = os.open(name, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def timed(action):
    """Milliseconds; what was written before is not paid for."""
    os.sync()
    begin = time.monotonic()
    action()
    return (time.monotonic() - begin) * 1000


def file_tree(folder, files, total_bytes):
    """`files` files of `total_bytes` in all, a hundred in a folder, of bytes that do not repeat."""
    size = total_bytes // files
    for number in range(files):
        path = folder / f"d{number // 100:04}" / f"file{number:06}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))


def dotfile_tree(folder):
    (folder / ".ssh").mkdir(parents=True)
    for name, size in ((".bashrc", 3500), (".profile", 160), (".vimrc", 900), (".gitconfig", 200),
                       (".ssh/authorized_keys", 570)):
        (folder / name).write_bytes(os.urandom(size))


def crowd_tree(folder, entries):
    (folder / "many").mkdir(parents=True)
    for number in range(entries):
        (folder / "many" / f"file-number-{number:06}").touch()


class Row:
    """One tree, and a seed image that holds it."""

    def __init__(self, bench, name, tree, size, seed_bytes, seed=None):
        self.bench, self.name, self.tree, self.size = bench, name, tree, size
        self.disk = bench.folder / "disk.ext4"
        self.seed = seed or bench.folder / f"seed{bench.next_number()}.ext4"
        if seed is None:
            run([bench.program, "ext4", "ingest", self.seed, tree, "--size", seed_bytes])
        self.peak_mib = 0
        self.endless = False  # mke2fs -d was not waited for

    def fresh(self):
        self.disk.unlink(missing_ok=True)

    def command(self):
        self.fresh()
        os.sync()
        cost = measure(self.bench.tools, [self.bench.program, "work-disk", self.seed, self.disk, "--size", self.size],
                       self.bench.folder)
        self.peak_mib = max(self.peak_mib, cost.peak_mib)
        return cost.wall_ms

    def library(self):
        self.fresh()
        os.sync()
        done = run([self.bench.tools / "update_image_library", self.seed, self.disk, self.size, 1])
        return int(done.stdout) / 1000

    def mke2fs(self):
        self.fresh()

        def action():
            ended = run(["timeout", PATIENCE_S, "mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-E",
                         "root_owner=0:0,lazy_itable_init=1,lazy_journal_init=1", "-d", self.tree, self.disk,
                         self.size], codes=(0, TIMED_OUT))
            self.endless = ended.returncode == TIMED_OUT
            sync_path(self.disk)
        return PATIENCE_S * 1000 if self.endless else timed(action)

    def floor(self):
        """The bytes of the tree's files, out of one file into another: no disk takes them sooner."""
        self.fresh()
        size = sum(path.stat().st_size for path in self.tree.rglob("*") if path.is_file())

        def action():
            with open(self.seed, "rb") as source, open(self.disk, "wb") as target:
                while size > target.tell():
                    target.write(source.read(min(MIB, size - target.tell())))
            sync_path(self.disk)
        return timed(action)

    def entries(self):
        return [path for path in sorted(self.tree.rglob("*")) if path.is_dir() or path.is_file()]

    def debugfs(self, *request):
        run(["debugfs", "-w", "-R", " ".join(map(str, request)), self.disk])

    def put_as_the_original(self, path):
        inside = "/" + str(path.relative_to(self.tree))
        if path.is_dir():
            self.debugfs("mkdir", inside)
        else:
            self.debugfs("write", path, inside)
        mode = f"0{path.stat().st_mode:o}"
        for field, value in (("mode", mode), ("uid", 0), ("gid", 0)):
            self.debugfs("sif", inside, field, value)

    def original(self):
        """Milliseconds, and whether they are scaled."""
        self.fresh()
        entries = self.entries()
        timed_entries = entries[:DEBUGFS_ENTRIES]
        made = timed(lambda: run(["mkfs.ext4", "-q", "-F", "-E", "root_owner=0:0,lazy_itable_init=1,"
                                  "lazy_journal_init=1", self.disk, self.size]))
        filled = timed(lambda: [self.put_as_the_original(path) for path in timed_entries])
        synced = timed(lambda: sync_path(self.disk))
        scaled = len(entries) > len(timed_entries)
        return made + filled * len(entries) / len(timed_entries) + synced, scaled

    def print(self):
        columns = {name: [] for name in ("command", "library", "mke2fs", "floor")}
        for _ in range(self.bench.runs):
            for name, times in columns.items():
                times.append(getattr(self, name)())
        medians = {name: statistics.median(times) for name, times in columns.items()}
        original, scaled = self.original()
        base = medians["command"]
        library = medians["library"]
        more = "more than " if self.endless else ""
        print(f"| {self.name} | {base:.1f} ms | {library:.1f} ms | {original:.0f} ms{' (scaled)' if scaled else ''} = "
              f"{original / base:.0f} x, {original / library:.0f} x | {more}{medians['mke2fs']:.1f} ms = "
              f"{medians['mke2fs'] / base:.1f} x, {medians['mke2fs'] / library:.1f} x | {medians['floor']:.1f} ms | "
              f"{self.peak_mib:.1f} MiB |",
              flush=True)
        self.fresh()


class Bench:
    def __init__(self, options, folder):
        self.program, self.tools = options.program.resolve(), options.tools.resolve()
        self.smoke, self.folder = options.smoke, folder
        self.runs = options.runs or (1 if self.smoke else 7)
        self.number = 0

    def next_number(self):
        self.number += 1
        return self.number

    def scaled(self, full, small):
        return small if self.smoke else full


def work_disks(bench):
    print("Ratios are to our command, then to our library call.\n\n"
          "| work disk | our command | our library call | original flow | mke2fs -d | the bytes alone, written and synced "
          "| peak memory of our command |\n| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    dotfiles = bench.folder / "dotfiles"
    dotfile_tree(dotfiles)
    row = Row(bench, "6 dotfiles, 8 GiB", dotfiles, "8G", "512M")
    row.print()
    Row(bench, "6 dotfiles, 64 GiB", dotfiles, "64G", None, row.seed).print()
    for count, total in ((200, 20 * MIB), (5000, 300 * MIB)):
        count, total = bench.scaled(count, 10), bench.scaled(total, MIB)
        tree = bench.folder / f"tree{total}"
        shutil.rmtree(tree, ignore_errors=True)
        file_tree(tree, count, total)
        Row(bench, f"{count} files, {total // MIB} MiB, 8 GiB", tree, "8G", "1G").print()
    entries = bench.scaled(100_000, 200)
    crowd = bench.folder / "crowd"
    crowd_tree(crowd, entries)
    Row(bench, f"{entries} entries in one folder, 8 GiB", crowd, "8G", "4G").print()


def clone_row(bench, name, folder, sample):
    source, target = folder / "source", folder / "target"
    shutil.copy(sample, source)
    ours, theirs, peak = [], [], 0
    for _ in range(bench.runs):
        target.unlink(missing_ok=True)
        os.sync()
        cost = measure(bench.tools, [bench.program, "clone", source, target], bench.folder)
        ours.append(cost.wall_ms)
        peak = max(peak, cost.peak_mib)
        target.unlink()

        def copy():
            run(["cp", "--sparse=always", source, target])
            run(["sync", target])
        theirs.append(timed(copy))
    mine, base = statistics.median(ours), statistics.median(theirs)
    print(f"| {name} | {mine:.1f} ms | {base:.1f} ms = {base / mine:.1f} x | {peak:.1f} MiB |", flush=True)


class Xfs:
    """A loop-mounted xfs with reflinks; not `made` where this machine cannot."""

    def __init__(self, bench, size):
        self.image, self.folder, self.device, self.made = bench.folder / "xfs.image", bench.folder / "xfs", None, False
        if os.geteuid() != 0 or shutil.which("mkfs.xfs") is None:
            return
        self.folder.mkdir()
        with self.image.open("wb") as file:
            file.truncate(size)
        try:
            run(["mkfs.xfs", "-q", "-m", "reflink=1", self.image])
            run(["mount", "-o", "loop", self.image, self.folder])
            self.device = pathlib.Path(run(["findmnt", "-n", "-o", "SOURCE", self.folder]).stdout.strip()).name
            self.made = True
        except Failed:
            pass

    def written_bytes(self):
        os.sync()
        return int(pathlib.Path(f"/sys/block/{self.device}/stat").read_text().split()[6]) * 512

    def close(self):
        if self.made:
            run(["umount", self.folder])


def clones(bench, xfs):
    print("\n| clone | ours | cp --sparse=always, sync | peak memory |\n| --- | --- | --- | --- |", flush=True)
    sample = bench.folder / "sample"
    size = bench.scaled(GIB, MIB)
    with sample.open("wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))
    kind = run(["stat", "-f", "-c", "%T", bench.folder]).stdout.strip()
    clone_row(bench, f"{size // MIB} MiB on {kind}", bench.folder, sample)
    if xfs.made:
        clone_row(bench, f"{size // MIB} MiB on xfs with reflinks", xfs.folder, sample)
    sample.unlink()


def bytes_written(bench, xfs):
    tree = bench.folder / f"tree{bench.scaled(300 * MIB, MIB)}"
    seed, disk = xfs.folder / "seed", xfs.folder / "disk"
    run([bench.program, "ext4", "ingest", seed, tree, "--size", "1G"])
    before = xfs.written_bytes()
    cost = measure(bench.tools, [bench.program, "work-disk", seed, disk, "--size", "8G"], bench.folder)
    written = xfs.written_bytes() - before
    print(f"\nwork disk of the large tree on xfs with reflinks: {written / MIB:.1f} MiB written to the device, "
          f"{cost.wall_ms:.1f} ms, {cost.peak_mib:.1f} MiB of memory", flush=True)


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", type=pathlib.Path, required=True, help="banger-update")
    parser.add_argument("--tools", type=pathlib.Path, required=True, help="the folder of the tools")
    parser.add_argument("--runs", type=int, help="rounds of each (default: 7)")
    parser.add_argument("--folder", type=pathlib.Path, help="where to work; its file system is what is measured")
    parser.add_argument("--smoke", action="store_true", help="tiny trees, one round")
    return parser.parse_args()


def main():
    options = parse()
    missing = [tool for tool in ("mkfs.ext4", "mke2fs", "debugfs") if shutil.which(tool) is None]
    if missing:
        print("skipped: not installed: " + ", ".join(missing))
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="image-figures-", dir=options.folder) as name:
        bench = Bench(options, pathlib.Path(name).resolve())
        kind = run(["stat", "-f", "-c", "%T", name]).stdout.strip()
        print(f"on {kind}, {os.cpu_count()} processors, medians of {bench.runs}\n", flush=True)
        xfs = Xfs(bench, 6 * GIB)
        try:
            work_disks(bench)
            clones(bench, xfs)
            if xfs.made:
                bytes_written(bench, xfs)
            else:
                print("\nleft out: xfs with reflinks (needs root, mkfs.xfs and loop mounts)")
        finally:
            xfs.close()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        sys.exit(str(failure))
