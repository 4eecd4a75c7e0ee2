#!/usr/bin/env python3
"""Fails on an include that goes against the architecture, and on a system call outside engine/os/.

usage: check_layers.py ROOT      check a tree
       check_layers.py --self    plant one violation of each rule in a scratch tree and see each one found
"""
import pathlib
import re
import sys
import tempfile

# Who may include whom. A folder may always include itself.
ALLOWED = {
    "engine/base": [],
    "engine/os": ["engine/base"],
    "engine/release": ["engine/base", "engine/os"],
    "engine/installation": ["engine/base", "engine/os"],
    "engine/image": ["engine/base", "engine/os"],
    "engine/transaction": ["engine/base", "engine/os", "engine/release", "engine/installation", "engine/image",
                           "engine/step", "schema/journal.hpp"],
    "engine/step": ["engine/base", "engine/os", "engine/installation", "engine/image", "engine/transaction",
                    "schema/journal.hpp"],
    "schema": ["engine/base"],
    "recovery": ["engine/base", "engine/os", "engine/release", "engine/installation", "engine/transaction",
                 "engine/step", "schema/journal.hpp"],
    "cli": ["engine", "recovery", "schema/journal.hpp"],
}

# Libraries, each where it is wanted and nowhere else.
LIBRARIES = {
    r"sqlite3\.h": ["schema"],
    r"spdlog/.*": ["cli"],
    r"fmt/.*": ["cli"],
    r"cxxopts\.hpp": ["cli"],
    r"toml\+\+/.*": ["engine/installation"],
    r"nlohmann/.*": ["engine/base/json.hpp"],
    r"openssl/.*": ["engine/base", "engine/release"],
    r"(ext2fs|et)/.*": ["engine/image"],
}

# Headers by which the operating system is reached without its seam.
SYSTEM = re.compile(
    r"(sys|linux|asm)/.*|(unistd|fcntl|spawn|poll|signal|dirent|sched|pwd|grp|termios|fts|ftw|glob|dlfcn)\.h|"
    r"filesystem|fstream|csignal")
CALLS = re.compile(r"(?<![\w.>:])((std)?::)(system)\s*\(|(?<![\w.>:])(::|std::)?(popen|fopen|freopen|tmpfile|mkstemp|execve|execvp|fork|vfork|syscall)\s*\(")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)


def layer_of(path):
    for layer in sorted(ALLOWED, key=len, reverse=True):
        if path.startswith(layer + "/"):
            return layer
    return None


def within(name, allowed):
    return any(name == one or name.startswith(one + "/") for one in allowed)


def check_file(path, text):
    layer = layer_of(path)
    if layer is None:
        return
    for include in INCLUDE.findall(text):
        if include.startswith("tests/"):
            yield f"{path}: includes {include}: tests are seen by nobody"
        elif layer_of(include) and not within(include, ALLOWED[layer] + [layer]):
            yield f"{path}: includes {include}: {layer} may not see it"
        for library, places in LIBRARIES.items():
            if re.fullmatch(library, include) and not within(path, places):
                yield f"{path}: includes {include}: only {', '.join(places)} may"
        if SYSTEM.fullmatch(include) and layer != "engine/os":
            yield f"{path}: includes {include}: only engine/os makes system calls"
    if layer != "engine/os":
        code = re.sub(r'//[^\n]*|"(\\.|[^"\\\n])*"', "", text)
        for call in CALLS.finditer(code):
            name = call.group(0).rstrip("( ")
            yield f"{path}: calls {name}: only engine/os makes system calls"


def check_tree(root):
    root = pathlib.Path(root)
    found, files = [], 0
    for top in ("engine", "schema", "recovery", "cli"):
        for file in sorted((root / top).rglob("*.[ch]pp")):
            files += 1
            found += check_file(str(file.relative_to(root)), file.read_text())
    return found, files


PLANTED = {
    "engine/base/a.hpp": '#include "engine/os/clock.hpp"',
    "engine/os/a.hpp": '#include "engine/transaction/plan.hpp"',
    "engine/release/a.cpp": '#include "engine/installation/configuration.hpp"',
    "engine/transaction/a.cpp": '#include "recovery/recover.hpp"',
    "engine/step/a.cpp": '#include "schema/database.hpp"',
    "schema/a.cpp": '#include "engine/os/filesystem.hpp"',
    "recovery/a.cpp": '#include "cli/command.hpp"',
    "cli/a.cpp": "#include <sqlite3.h>",
    "cli/b.cpp": "#include <unistd.h>",
    "cli/c.cpp": 'void f() { std::system("ls"); ::system("ls"); }',
    "engine/transaction/b.cpp": "#include <fstream>",
    "recovery/b.cpp": '#include "tests/fake/fake_system.hpp"',
    "engine/step/b.cpp": "#include <nlohmann/json.hpp>",
}


def self_test():
    missed = []
    for path, text in PLANTED.items():
        with tempfile.TemporaryDirectory() as root:
            file = pathlib.Path(root, path)
            file.parent.mkdir(parents=True)
            file.write_text(text + "\n")
            if not check_tree(root)[0]:
                missed.append(path)
    for path in missed:
        print(f"not found: {path}: {PLANTED[path]}")
    print(f"{len(PLANTED) - len(missed)} of {len(PLANTED)} planted violations found")
    return 1 if missed else 0


def main():
    if sys.argv[1:] == ["--self"]:
        return self_test()
    found, files = check_tree(sys.argv[1])
    print("\n".join(found) if found else f"{files} files keep the law")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
