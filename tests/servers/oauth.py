"""Who says which tokens are good: Dovecot asks it by HTTP."""
import http.server
import json
import threading
import urllib.parse

# For a Dovecot's extra.
CONFIG = """\
auth_mechanisms = plain oauthbearer xoauth2
passdb {{
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = {path}
}}
"""

QUESTION = """\
tokeninfo_url = http://127.0.0.1:{port}/?token=
introspection_mode =
username_attribute = user
active_attribute = active
active_value = yes
"""


class Tokens:
    """Listens on .port; the tokens in .good are the user's."""

    def __init__(self, user):
        self.good = set()
        self.asked = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                query = urllib.parse.urlsplit(self.path).query
                token = urllib.parse.parse_qs(query).get("token", [""])[0]
                outer.asked.append(token)
                is_good = token in outer.good
                text = json.dumps({"user": user, "active":
                                   "yes" if is_good else "no"}).encode()
                self.send_response(200 if is_good else 401)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def extra(self, directory):
        """What a Dovecot needs in its configuration."""
        path = directory / "oauth2.conf"
        path.write_text(QUESTION.format(port=self.port))
        path.chmod(0o644)
        return CONFIG.format(path=path)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
