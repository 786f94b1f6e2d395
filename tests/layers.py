#!/usr/bin/python3
"""Hold the folders to the include table of docs/house-style.md, section 2.

Usage: layers.py [ROOT]      exit 1 and one line for each include that breaks it
"""
import pathlib
import re
import sys

# A folder and the folders it may use; its own is understood.
MAY_USE = {
    "util": "",
    "mail": "util",
    "net": "util",
    "cache": "util mail",
    "imapclient": "util mail net",
    "popclient": "util mail net",
    "fs": "util mail cache",
    "cli": "util mail net cache imapclient popclient fs",
}

# Of these, the others see X/X.h and nothing else.
ONE_DOOR = {"cache", "imapclient", "popclient", "fs"}

# The start of a system header, and the one folder that includes it.
EXTERNAL = {
    "openssl/": "util",
    "curl/": "net",
    "zlib.h": "net",
    "sqlite3": "cache",
    "fuse": "fs",
    "jansson.h": "cli",
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)


def wrong_system(folder, header):
    for start, owner in EXTERNAL.items():
        if header.startswith(start) and folder != owner:
            return f"<{header}> belongs to {owner}/ alone"
    if header.split("/")[0] in MAY_USE:
        return f"<{header}> is ours: write it with quotes"
    return None


def wrong_own(root, folder, header):
    if not (root / header).is_file() or ".." in header.split("/"):
        return f'"{header}" is not a path from the root'
    target = header.split("/")[0]
    if target == folder:
        return None
    if target not in MAY_USE[folder].split():
        return f'{folder}/ may not use {target}/ ("{header}")'
    if target in ONE_DOOR and header != f"{target}/{target}.h":
        return f'"{header}" is private; the door is {target}/{target}.h'
    return None


def check(root):
    """Yield 'file:line: what is wrong' for every include that is."""
    root = pathlib.Path(root)
    for folder in MAY_USE:
        for path in sorted((root / folder).rglob("*.[ch]")):
            text = path.read_text(errors="replace")
            for found in INCLUDE.finditer(text):
                kind, header = found.groups()
                why = (wrong_system(folder, header) if kind == "<"
                       else wrong_own(root, folder, header))
                if why:
                    line = text.count("\n", 0, found.start(1)) + 1
                    yield f"{path.relative_to(root)}:{line}: {why}"


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else \
        pathlib.Path(__file__).resolve().parent.parent
    found = list(check(root))
    print("\n".join(found) if found else "layers: every include is allowed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
