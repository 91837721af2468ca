"""What a soak does to the lab's paths: cuts, lost devices, loss, resets, other links and middleboxes, drawn from a seed."""

import collections
import contextlib
import random

# Random loss, in percent, on what the access router forwards from and to a link.
LOSS = """
table inet soak {{
  chain forward {{
    type filter hook forward priority 0; policy accept;
    iifname "{link}" numgen random mod 100 < {percent} drop
    oifname "{link}" numgen random mod 100 < {percent} drop
  }}
}}"""

# A firewall that has lost its state: whoever sends over the link gets a reset that fits.
RESETS = """
table inet soak {{
  chain forward {{
    type filter hook forward priority 0; policy accept;
    iifname "{link}" meta l4proto tcp reject with tcp reset
    oifname "{link}" meta l4proto tcp reject with tcp reset
  }}
}}"""

PROFILES = ("dsl", "lte", "satellite", "wifi", "bloat", "shallow", "flaky", "asymmetric", "mobile")
# These change payload, which nobody notices where no DSS checksum is in use (RFC 8684 3.3.1).
FORGERS = ("change-bytes", "lengthen", "shorten")
# Linux 6.18 takes all of a merged segment for data at its mapping, which covers only a part of it.
MERGERS = ("merge-options",)


class Weather:
    """One disturbance after another. `tell(text)` hears of each, `pause(seconds)` waits and says whether to go on."""

    def __init__(self, lab, seed, tell, pause):
        self._lab, self._tell, self._pause = lab, tell, pause
        self._rng = random.Random(f"{seed} weather")
        self._boxes = [name for name in lab.command("box", "list").split() if not name.startswith(FORGERS + MERGERS)]
        self._kinds = (self._cut, self._cut_both, self._unplug, self._loss, self._resets, self._links, self._box)
        self.counts = collections.Counter()

    def run(self):
        """Until `pause` says no, but each kind at least once; then the sky is clear."""
        going, first = True, True
        while going:
            for event in self._rng.sample(self._kinds, len(self._kinds)):
                event()
                going = self._pause(self._rng.uniform(0.5, 3))
                if not (going or first):
                    break
            first = False
        self._relink("dsl+lte", "none")

    def _spell(self, kind, text, longest):
        """Tells of an event and lets it last."""
        seconds = self._rng.uniform(0.1, 1) * longest
        self.counts[kind] += 1
        self._tell(f"{text} for {seconds:.1f} s")
        self._pause(seconds)

    def _cut(self):
        link = self._rng.choice("ab")
        with self._undone("cut", "heal", link):
            self._spell("cuts", f"link {link} is cut", 5)

    def _cut_both(self):
        with self._undone("cut", "heal", "a"), self._undone("cut", "heal", "b"):
            self._spell("cuts", "both links are cut", 2)

    def _unplug(self):
        link = self._rng.choice("ab")
        with self._undone("unplug", "plug", link):
            self._spell("unplugs", f"the client loses device {link}", 4)

    def _loss(self):
        link, percent = self._rng.choice("ab"), self._rng.choice((1, 2, 5, 10, 20))
        with self._rules(LOSS.format(link=link, percent=percent)):
            self._spell("losses", f"link {link} loses {percent} %", 5)

    def _resets(self):
        link = self._rng.choice("ab")
        with self._rules(RESETS.format(link=link)):
            self._spell("resets", f"a firewall resets what uses link {link}", 0.5)

    def _links(self):
        pair = "+".join(self._rng.sample(PROFILES, 2))
        self.counts["links"] += 1
        self._relink(pair, "none")
        self._tell(f"other access links: {pair}")

    def _box(self):
        box = self._rng.choice(self._boxes)
        self.counts["boxes"] += 1
        self._lab.command("box", box)
        self._tell(f"a middlebox on link a: {box}")

    def _relink(self, pair, box):
        self._lab.command("relink", pair, box)

    @contextlib.contextmanager
    def _undone(self, command, undo, link):
        self._lab.command(command, link)
        yield
        self._lab.command(undo, link)

    @contextlib.contextmanager
    def _rules(self, text):
        self._lab.on("isp", "nft", text)
        yield
        self._lab.on("isp", "nft", "delete table inet soak")
