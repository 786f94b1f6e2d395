"""A mailbox to look at: some three hundred messages, the same every time."""
import email.message
import email.utils
import random

PEOPLE = [
    ("Ada Lovelace", "ada@example.org"), ("Bjørn Åkesson", "bjorn@example.net"),
    ("Chen Wei 陈伟", "chen@example.com"), ("Dana Kovács", "dana@example.org"),
    ("Emmy Noether", "emmy@example.edu"), ("Build Robot", "robot@example.org"),
]

# Mailbox (as IMAP spells it): how many, flags, and what is written about.
MAILBOXES = {
    "INBOX": (120, ["", "", r"\Seen", r"\Seen", r"\Seen \Answered",
                    r"\Seen \Flagged"],
              ["Lunch on Thursday?", "Invoice {n}", "Re: plans for the garden",
               "Grüße aus Köln", "The report, as promised", "今週の予定"]),
    "Sent": (30, [r"\Seen"], ["Re: Lunch on Thursday?", "The minutes"]),
    "Drafts": (3, [r"\Draft \Seen"], ["Dear editor"]),
    "Trash": (12, [r"\Seen", r"\Seen \Deleted"], ["You have won!!!"]),
    "Archive": (40, [r"\Seen"], ["Contract {n}", "Ticket {n} closed"]),
    "Lists/cryptography": (50, ["", r"\Seen"], ["Nonce reuse, again",
                                                "Constant time in C"]),
    "Lists/gardening": (25, [r"\Seen"], ["Slugs", "When to sow beans"]),
    "Projets/&AOk-t&AOk- 2026": (15, [r"\Seen", r"\Seen \Flagged"],
                                 ["Réunion d'été", "Budget {n}"]),
    "Receipts/2025": (10, [r"\Seen"], ["Receipt {n}"]),
}

WORDS = ("mail file folder server morning answer garden letter window number "
         "question paper river table early quiet green always perhaps "
         "between during because without").split()

FIRST_DATE = 1_735_689_600  # 2025-01-01
STEP_S = 86_400


def _text(pick):
    lines = [" ".join(pick.choices(WORDS, k=pick.randint(6, 12)))
             for _ in range(pick.randint(3, 40))]
    return "Hello,\n\n" + "\n".join(lines) + "\n\nbye\n"


def _message(pick, number, subject, date):
    message = email.message.EmailMessage()
    sender = pick.choice(PEOPLE)
    message["From"] = email.utils.formataddr(sender, "utf-8")
    message["To"] = "Demo <demo@example.org>"
    message["Subject"] = subject.format(n=1000 + number)
    message["Date"] = email.utils.formatdate(date)
    message["Message-ID"] = f"<{number}.demo@example.org>"
    message.set_content(_text(pick), cte="8bit" if number % 4 == 0 else None)
    if number % 9 == 0:
        message.add_attachment(pick.randbytes(pick.randint(2_000, 60_000)),
                               maintype="application", subtype="pdf",
                               filename=f"report-{number}.pdf")
    return message.as_bytes(policy=message.policy.clone(linesep="\r\n"))


def mail():
    """Yield (mailbox, flags, date, bytes as on the wire)."""
    pick = random.Random(1)
    number = 0
    for mailbox, (count, flags, subjects) in MAILBOXES.items():
        for _ in range(count):
            number += 1
            date = FIRST_DATE + number * STEP_S
            yield (mailbox, pick.choice(flags), date,
                   _message(pick, number, pick.choice(subjects), date))
