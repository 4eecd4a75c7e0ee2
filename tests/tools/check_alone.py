#!/usr/bin/env python3
"""Fails on a source of the product that leans on what another file included.

Every preset compiles several files as one, which hides a missing #include until somebody compiles or reads the file by itself. Each run looks
at an eighth of them, another one each time: UPDATE_SWEEP=full at all, UPDATE_SWEEP_SEED=N at those of the run that printed it.

usage: check_alone.py ROOT BUILD     check the tree, with the flags of a folder that was configured with a preset
       check_alone.py --self BUILD   plant a file that leans on another, and see it found
"""
import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time

PRODUCT = ("cli", "engine", "recovery", "schema")
STRIDE = 8


def parser_of(build):
    """The compiler as for engine/base, so that its parsed headers serve, but only to parse, and with the folders and names that any part is given."""
    commands = [shlex.split(entry["command"]) for entry in json.loads((build / "compile_commands.json").read_text())
                if not pathlib.Path(entry["file"]).is_relative_to(build / "tests")]
    base = next(words for words in commands if any("/update_base.dir/Unity/" in word for word in words))
    given = dict.fromkeys(word for words in commands for word in words if word.startswith(("-I", "-D")))
    libraries = dict.fromkeys(value for words in commands for word, value in zip(words, words[1:]) if word == "-isystem")
    headers = build / "engine/base/CMakeFiles/update_base.dir/cmake_pch.hxx"
    return [base[0], "-fsyntax-only", *(word for word in base if word.startswith(("-f", "-g", "-std"))), *given,
            *(f"-isystem{folder}" for folder in libraries), "-include", headers]


def broken(parse, sources):
    def look(source):
        done = subprocess.run([*parse, source], capture_output=True, text=True, check=False)
        return done.stderr if done.returncode != 0 else ""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        return [text for text in threads.map(look, sources) if text]


def sample(sources):
    if os.environ.get("UPDATE_SWEEP") == "full":
        return sources
    seed = int(os.environ.get("UPDATE_SWEEP_SEED") or time.time())
    print(f"repeat with UPDATE_SWEEP_SEED={seed}")
    return sources[seed % STRIDE::STRIDE]


def check_self(build):
    with tempfile.TemporaryDirectory() as folder:
        sound, leaning = pathlib.Path(folder) / "sound.cpp", pathlib.Path(folder) / "leaning.cpp"
        use = "std::string shown() { return update::quote(\"x\"); }\n"
        sound.write_text('#include "engine/base/text.hpp"\n' + use)
        leaning.write_text(use)
        assert broken(parser_of(build), [sound]) == []
        assert len(broken(parser_of(build), [sound, leaning])) == 1


def main():
    if sys.argv[1] == "--self":
        return check_self(pathlib.Path(sys.argv[2]).resolve())
    root, build = (pathlib.Path(word).resolve() for word in sys.argv[1:])
    sources = [source for folder in PRODUCT for source in sorted((root / folder).rglob("*.cpp"))]
    assert sources, "no sources"
    chosen = sample(sources)
    findings = broken(parser_of(build), chosen)
    print("".join(findings) + f"{len(sources)} files, {len(chosen)} tried, {len(findings)} lean on another")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
