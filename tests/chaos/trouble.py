"""What goes wrong from outside: the line, and the daemon's life."""
from chaos.mounts import Program
from servers.cut import Cutter
from servers.proxy import Proxy


class Line(Program):
    """What a daemon's connections pass: cut, reset, cut in the middle of a
    command or an answer, stalled, and turned away, at random."""

    pause_s = 2

    def __init__(self, history, seed, target):
        super().__init__(history, "line", seed)
        self.cutter = Cutter(target)
        self.proxy = Proxy(self.cutter.port)
        self.port = self.proxy.port

    def step(self):
        deed = self.chance.choice([self.cut, self.reset, self.cut_within,
                                   self.cut_within, self.stall, self.refuse])
        self.history.note(self.name, deed.__name__)
        deed()

    def cut(self):
        self.proxy.cut()

    def reset(self):
        self.proxy.cut(is_reset=True)

    def cut_within(self):
        """The next connection on which so many bytes pass loses the rest."""
        self.cutter.arm(self.chance.randrange(2),
                        int(2 ** self.chance.uniform(0, 14)))

    def stall(self):
        self.proxy.stall_after(int(2 ** self.chance.uniform(0, 12)))
        self.history.is_over.wait(self.chance.uniform(0.2, 5))
        self.proxy.resume()

    def refuse(self):
        self.proxy.is_open = False
        self.proxy.cut()
        self.history.is_over.wait(self.chance.uniform(0.2, 4))
        self.proxy.is_open = True

    def mend(self):
        """From now on it is a good line."""
        self.cutter.disarm()
        self.proxy.is_open = True
        self.proxy.resume()
        self.history.note(self.name, "mended")

    def close(self):
        self.proxy.close()
        self.cutter.close()


class Killer(Program):
    pause_s = 7

    def __init__(self, history, seed, mount):
        super().__init__(history, "killer", seed)
        self.mount = mount
        self.kills = 0

    def step(self):
        self.mount.crash()
        self.kills += 1
