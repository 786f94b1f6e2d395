"""mbsync, where a bench has it reach the server without TLS."""

CONFIG = """\
IMAPAccount a
Host 127.0.0.1
Port {port}
User {user}
Pass {password}
SSLType None
AuthMechs *

IMAPStore far
Account a

MaildirStore near
Path {near}/
Inbox {near}/INBOX

Channel c
Far :far:
Near :near:
Patterns INBOX
SyncState *
"""


def prepare(near, port, user, password, channel, general=""):
    """What syncs INBOX with the Maildir near/INBOX: a command.

    channel and general: more lines of its configuration, of the channel and
    of all.
    """
    config = near / "mbsyncrc"
    config.write_text(general + CONFIG.format(
        near=near, port=port, user=user, password=password) + channel)
    return ["mbsync", "-c", config, "c"]
