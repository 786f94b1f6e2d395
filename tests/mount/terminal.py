"""Programs that want a terminal: tmux plays one, and the person before it."""
import os
import re
import subprocess

from servers import process


def environment(home):
    return {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8",
            "HOME": str(home)}


def run_to_end(command, home):
    """One that needs nobody at the keyboard: mutt with `push`."""
    done = subprocess.run(["script", "-qec", command, "/dev/null"],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          env=environment(home), timeout=40)
    assert done.returncode == 0, done.stdout


class Terminal:
    """A program in a terminal; keys are as `tmux send-keys` calls them."""

    def __init__(self, home, command, **more):
        self.tmux = ["tmux", "-S", str(home / "tmux"), "-f", "/dev/null"]
        self.run("new-session", "-d", "-x", "100", "-y", "30", command,
                 env={**environment(home), **more})

    def run(self, *words, **more):
        return subprocess.run([*self.tmux, *words], check=True, text=True,
                              capture_output=True, timeout=20, **more).stdout

    def screen(self):
        return self.run("capture-pane", "-p")

    def wait_for(self, *texts):
        """Till all of them are on the screen."""
        self._wait(lambda: all(text in self.screen() for text in texts), texts)

    def wait_for_line(self, pattern):
        """Till one is like that regular expression."""
        self._wait(lambda: re.search(f"(?m)^{pattern}$", self.screen()),
                   pattern)

    def _wait(self, is_true, what):
        try:
            process.wait_until(is_true, what, timeout=20)
        except TimeoutError as late:
            raise AssertionError(f"{late}\n{self.screen()}") from None

    def keys(self, *keys):
        self.run("send-keys", *keys)

    def type(self, text):
        self.run("send-keys", "-l", text)
        self.keys("Enter")

    def stop(self):
        subprocess.run([*self.tmux, "kill-server"], capture_output=True,
                       timeout=20)
