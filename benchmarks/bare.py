"""Compares a run with a bare httpx script that makes as many exchanges of the same kinds, against one running reference.

Twice: what is asked of UCI Verzamelen (``features/dvza``), and the whole quick plan. The latter has besides what the script has no
counterpart for: certificates that are minted for one session and answered for, sessions that are refused, ClientHellos, lists that
are given, and a responder whose silence is waited for.

The harness: from the start of its first exchange to the last file of its report, so without its own start (Python, pytest, keys),
but with judging, the journal and every report. The script: from its first exchange to its last. In both a browser keeps its
connection for one collection, and each exchange of the back channel opens one with a certificate; nothing is resumed. Both only
verify the server.
Kinds are those of the journal: authorization requests, pages that are posted, token requests, FHIR requests; they come one after
the other, as whole collections. The two take turns; the median counts. Exit 1 when the first takes more than 1.5 times as long.

Run it with ``make benchmark`` on an idle machine; ``--runs N`` changes how often (default 5).
"""

import argparse
import contextlib
import json
import re
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from medmij_conformance import workspace
from medmij_conformance.cast.office import Office
from medmij_conformance.target import Target
from medmij_conformance.wire.control import call

CHECKOUT = Path(__file__).parent.parent
BAR = 1.5
PARTS = {"UCI Verzamelen": "features/dvza", "whole quick plan": "features"}
SESSION = """
import sys, pathlib
from medmij_conformance.session import session
sys.exit(session(["-p", "medmij_conformance.plugin", *sys.argv[2:]], [], [pathlib.Path(sys.argv[1]).resolve()]))
"""
CLIENT = workspace.HARNESS
REDIRECT_URI = f"https://{CLIENT}/cb"


def harness(target: Target, features: str, folder: Path) -> tuple[float, Counter[str]]:
    """Run features in the quick plan, as ``run`` does it. Gives the seconds and how many exchanges of each kind had an answer."""
    command = [sys.executable, "-c", SESSION, features, "--target", target.path, "--report-dir", folder]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the run ended with exit {done.returncode}\n{done.stderr[-2000:]}")
    records = map(json.loads, (folder / "evidence.jsonl").read_text(encoding="utf-8").removesuffix("\n").split("\n"))
    exchanges = [record for record in records if record["type"] == "exchange"]
    ended = max(path.stat().st_mtime for path in folder.iterdir())
    began = datetime.fromisoformat(exchanges[0]["at"]).timestamp()
    return ended - began, Counter(each["endpoint"] for each in exchanges if each["tls"])


class Script:
    """What somebody would write who only wants the exchanges."""

    def __init__(self, target: Target) -> None:
        self.offer = target.offers[0]
        self.connect = target.connect
        pki = target.path.parent / "pki"
        self.context = ssl.create_default_context(cafile=pki / "ca.pem")
        back = ssl.create_default_context(cafile=pki / "ca.pem")
        back.load_cert_chain(pki / "harness.pem", pki / "harness.key")
        self.back = httpx.Client(verify=back, limits=httpx.Limits(max_keepalive_connections=0))
        self.front = httpx.Client(verify=self.context)
        self.bsn = target.persons["available"][0]["bsn"]

    def send(self, client: httpx.Client, method: str, url: str, **settings: object) -> httpx.Response:
        """One exchange with the address that stands in ``[connect]`` for the host."""
        parts = urlsplit(url)
        place = self.connect[f"{parts.hostname}:{parts.port or 443}"]
        headers = {"Host": parts.netloc, **settings.pop("headers", {})}  # type: ignore[dict-item]
        address = parts._replace(netloc=place).geturl()
        return client.request(method, address, headers=headers, extensions={"sni_hostname": parts.hostname}, **settings)

    def post(self, page: httpx.Response, path: str, **choice: str) -> httpx.Response:
        """Send the form of a page, with its hidden fields."""
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        host = urlsplit(self.offer.authorization_endpoint).netloc
        return self.send(self.front, "POST", f"https://{host}{path}", data={**hidden, **choice})

    def run(self, kinds: Counter[str]) -> tuple[float, Counter[str]]:
        """Make as many exchanges of each kind. Gives the seconds and what was made."""
        made: Counter[str] = Counter()
        began = time.perf_counter()
        while made["authorization"] < kinds["authorization"]:
            self.collect(kinds, made)
        while made["token"] < kinds["token"]:  # as many as the harness, which redeems more often than it collects
            self.send(self.back, "POST", self.offer.token_endpoint, data={"grant_type": "authorization_code", "code": "none"})
            made["token"] += 1
        return time.perf_counter() - began, made

    def collect(self, kinds: Counter[str], made: Counter[str]) -> None:
        """One collection, up to where no more exchanges of the next kind are wanted."""
        query = {"response_type": "code", "client_id": CLIENT, "redirect_uri": REDIRECT_URI, "scope": "1", "state": "x" * 32}
        self.front.close()
        self.front = httpx.Client(verify=self.context)
        page = self.send(self.front, "GET", f"{self.offer.authorization_endpoint}?{urlencode(query)}")
        made["authorization"] += 1
        for path, choice in (("/login", {"bsn": self.bsn, "action": "login"}), ("/consent", {"decision": "grant"})):
            if made["page"] == kinds["page"]:
                return
            page = self.post(page, path, **choice)
            made["page"] += 1
        if made["token"] == kinds["token"]:
            return
        code = parse_qs(urlsplit(page.headers["location"]).query)["code"][0]
        grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI, "client_id": CLIENT}
        token = self.send(self.back, "POST", self.offer.token_endpoint, data=grant).json()["access_token"]
        made["token"] += 1
        if made["resource"] == kinds["resource"]:
            return
        headers = {"Authorization": f"Bearer {token}"}
        path = f"{self.offer.resource_endpoint}/Patient?_include=Patient:general-practitioner"
        self.send(self.back, "GET", path, headers=headers).raise_for_status()
        made["resource"] += 1


def main() -> None:
    """Print both times, the number of exchanges and the ratio, for each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        target, reference = workspace.reference_dvza(Path(name), login="form")
        try:
            ratios = [compare(what, target, reference.ports["control"], runs, Path(name)) for what in PARTS]
        finally:
            reference.stop()
    sys.exit(ratios[0] > BAR)


def compare(what: str, target: Target, control: str, runs: int, folder: Path) -> float:
    """Let both take turns, and print a line for each. Gives how many times as long the harness takes."""
    ours, bare = [], []
    for number in range(runs):
        call(f"{control}/deviate", {"names": []})  # which forgets the guesses of the run before
        seconds, kinds = harness(target, PARTS[what], folder / f"{what} {number}")
        ours.append(seconds)
        with contextlib.closing(Office(target)):  # a gateway asks about its callers
            seconds, made = Script(target).run(kinds)
        bare.append(seconds)
    for who, times, counted in ((what, ours, kinds), ("bare httpx script", bare, made)):
        print(f"{who:<18} median {statistics.median(times):6.2f} s  ({min(times):.2f} to {max(times):.2f}, {runs} runs)")
        print(f"{'':<18} {counted.total()} exchanges: {', '.join(f'{n} {kind}' for kind, n in sorted(counted.items()))}")
    ratio = statistics.median(ours) / statistics.median(bare)
    print(f"{'ratio':<18} {ratio:.2f}" + (f", at most {BAR}" if what == "UCI Verzamelen" else ""))
    return ratio


if __name__ == "__main__":
    main()
