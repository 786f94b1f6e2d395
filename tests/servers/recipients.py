"""Mail of lists and aliases, as it comes through one account."""

# A message's head, and for whom it was by each way to tell.
WAYS = ("delivered-to", "x-original-to", "envelope-to", "received-for", "to")
MAIL = [
    # A server of one's own: Postfix, an alias for two, a plus address.
    (b"Delivered-To: ada@example.org\nX-Original-To: info@example.org\n"
     b"Received: from mx.example.net (mx.example.net [192.0.2.1])\n"
     b"\tby mail.example.org (Postfix) with ESMTPS id 4Rj\n"
     b"\tfor <info@example.org>; Tue, 14 Nov 2023 22:13:20 +0000 (UTC)\n"
     b"From: Bob <bob@example.net>\nTo: undisclosed-recipients:;\n",
     {"delivered-to": ["ada@example.org"],
      "x-original-to": ["info@example.org"],
      "received-for": ["info@example.org"]}),
    # Forwarded twice, and to oneself: each hop leaves its line.
    (b"Delivered-To: catchall@example.org\n"
     b"Received: by mail.example.org; Tue, 14 Nov 2023 22:13:21 +0000\n"
     b"Delivered-To: <shop+2023@EXAMPLE.ORG>\n"
     b"Received: from a by b for shop+2023@example.org; "
     b"Tue, 14 Nov 2023 22:13:20 +0000\n"
     b"Delivered-To: catchall@example.org\n"
     b"To: \"Shop, the\" <shop@example.com> (old), other@example.com\n",
     {"delivered-to": ["catchall@example.org", "shop+2023@example.org"],
      "received-for": ["shop+2023@example.org"],
      "to": ["other@example.com", "shop@example.com"]}),
    # A list: Exim tells the envelope, ezmlm that it was a list.
    (b"Envelope-to: ada@example.org,\n ada.lovelace@example.org\n"
     b"Delivery-date: Tue, 14 Nov 2023 22:13:20 +0000\n"
     b"Delivered-To: mailing list news@lists.example.com\n"
     b"List-Id: <news.lists.example.com>\nTo: news@lists.example.com\n",
     {"envelope-to": ["ada.lovelace@example.org", "ada@example.org"],
      "to": ["news@lists.example.com"]}),
    # Names that are no file names.
    (b"Delivered-To: a/b@example.org\nDelivered-To: \"..\"@example.org\n"
     b"X-Original-To: 100%@example.org\nTo: nobody\n",
     {"delivered-to": ["..@example.org", "a%2Fb@example.org"],
      "x-original-to": ["100%25@example.org"], "to": ["nobody"]}),
    # Nothing tells, or what tells is in the body.
    (b"From: someone@example.net\nSubject: none\n", {}),
    (b"Subject: body\n", {}),
    # Of another domain than ours.
    (b"Delivered-To: ada@example.net\nX-Original-To: ada@example.net\n",
     {"delivered-to": ["ada@example.net"],
      "x-original-to": ["ada@example.net"]}),
]


def messages():
    """All of it, with LF line ends."""
    return [head + b"Date: Tue, 14 Nov 2023 22:13:2%d +0000\n\n"
            b"Delivered-To: body@example.org\nTo: body@example.org\n" % number
            for number, (head, _) in enumerate(MAIL)]


def expected(way, domains=None):
    """{mailbox: bodies} below Recipients."""
    found = {}
    for body, (_, whom) in zip(messages(), MAIL):
        for address in whom.get(way, ()):
            domain = address.rpartition("@")[2]
            if not domains or domain in domains:
                found.setdefault(address, []).append(body)
    return {name: sorted(bodies) for name, bodies in found.items()}
