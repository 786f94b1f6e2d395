"""The layer check finds each kind of wrong include, and only those."""
import pytest

import layers

HEADERS = ["util/log.h", "mail/mail.h", "net/conn.h", "cache/cache.h",
           "cache/db.h", "fs/fs.h", "fs/inode.h", "imapclient/imapclient.h",
           "imapclient/session.h"]


def found(tmp_path, name, include):
    for header in HEADERS:
        (tmp_path / header).parent.mkdir(exist_ok=True)
        (tmp_path / header).write_text("")
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"/* why */\n#include {include}\nint x;\n")
    return list(layers.check(tmp_path))


@pytest.mark.parametrize("name, include", [
    ("cache/a.c", '"cache/db.h"'),
    ("cache/a.c", '"mail/mail.h"'),
    ("cache/a.c", "<sqlite3.h>"),
    ("fs/a.c", '"cache/cache.h"'),
    ("fs/a.c", "<fuse_lowlevel.h>"),
    ("imapclient/a.c", '"net/conn.h"'),
    ("cli/a.c", '"imapclient/imapclient.h"'),
    ("util/a.c", "<openssl/evp.h>"),
    ("util/a.c", "<stdio.h>"),
    ("tests/a.c", '"cache/db.h"'),
])
def test_allows(tmp_path, name, include):
    assert found(tmp_path, name, include) == []


@pytest.mark.parametrize("name, include, why", [
    ("util/a.c", '"mail/mail.h"', "util/ may not use mail/"),
    ("cache/a.h", '"net/conn.h"', "cache/ may not use net/"),
    ("net/a.c", '"mail/mail.h"', "net/ may not use mail/"),
    ("imapclient/a.c", '"cache/cache.h"', "may not use cache/"),
    ("fs/a.c", '"cache/db.h"', "is private"),
    ("cli/a.c", '"fs/inode.h"', "is private"),
    ("cli/a.c", '"imapclient/session.h"', "is private"),
    ("fs/a.c", "<sqlite3.h>", "belongs to cache/"),
    ("net/a.c", "<openssl/ssl.h>", "belongs to util/"),
    ("cli/a.c", "<fuse_lowlevel.h>", "belongs to fs/"),
    ("cache/a.c", '"db.h"', "not a path from the root"),
    ("cache/a.c", '"cache/../cache/db.h"', "not a path from the root"),
    ("cache/a.c", "<cache/db.h>", "with quotes"),
])
def test_refuses(tmp_path, name, include, why):
    lines = found(tmp_path, name, include)
    assert len(lines) == 1
    assert lines[0].startswith(f"{name}:2: ") and why in lines[0]
