"""Compares ``lists`` on a long Zorgaanbiederslijst with bare ``iterparse(schema=)`` of the same file and the same XSD.

Bare is what somebody would write who only wants to know whether the file is valid, and gives the memory of each provider back.
``lists`` also reads every provider, holds it against the Whitelist and the other rules, and notices a file that was cut off. Each
measurement is a process of its own, from after its imports to its verdict; the two take turns and the median counts. Exit 1 when
``lists`` takes more than 1.3 times as long or more than 100 MB, at 100,000 providers.

Run it with ``make benchmark-lists`` on an idle machine with two cores; ``--providers N ...`` for other lengths, ``--runs N`` for
more turns.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lxml import etree

from medmij_conformance import data_path, list_files
from medmij_conformance.protocol.lists import GENERATIONS, Zal

BAR, BAR_MB, BAR_PROVIDERS = 1.3, 100, 100_000
FORM = GENERATIONS["1.0"][Zal]
SCHEMA = data_path("fixtures") / "schemas" / "lists" / "1.0" / "zal.xsd"
HOSTS = 200

SERVICE = """        <Gegevensdienst>
          <GegevensdienstId>{code}</GegevensdienstId>
          <AuthorizationEndpoint>
            <AuthorizationEndpointuri>https://za{host}.example.test/authorize</AuthorizationEndpointuri>
          </AuthorizationEndpoint>
          <TokenEndpoint>
            <TokenEndpointuri>https://za{host}.example.test:8443/token</TokenEndpointuri>
          </TokenEndpoint>
          <Systeemrollen>
            <Systeemrol>
              <Systeemrolcode>ROL-{code}</Systeemrolcode>
              <ResourceEndpoint>
                <ResourceEndpointuri>https://za{host}.example.test:8443/{name}/fhir</ResourceEndpointuri>
              </ResourceEndpoint>
            </Systeemrol>
          </Systeemrollen>
        </Gegevensdienst>
"""


def name_of(number: int) -> str:
    """A name of twelve letters that is not like its neighbours'."""
    letters = ""
    number = number * 2_654_435_761 % 26**12
    for _ in range(12):
        number, letter = divmod(number, 26)
        letters += chr(97 + letter)
    return letters


def write(folder: Path, providers: int) -> tuple[Path, Path]:
    """A Zorgaanbiederslijst of so many providers with two services each, and the Whitelist with their hosts."""
    zal, whitelist = folder / f"zal-{providers}.xml", folder / "whitelist.xml"
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{namespace}">\n  <Tijdstempel>2018-09-01T09:00:00Z</Tijdstempel>\n'
    )
    head += "  <Volgnummer>1</Volgnummer>\n"
    with zal.open("w", encoding="utf-8") as file:
        file.write(head.format(root=FORM.root, namespace=FORM.namespace) + "  <Zorgaanbieders>\n")
        for number in range(providers):
            name = name_of(number)
            file.write(
                f"    <Zorgaanbieder>\n      <Zorgaanbiedernaam>{name}@medmij</Zorgaanbiedernaam>\n      <Gegevensdiensten>\n"
            )
            file.writelines(SERVICE.format(code=code, host=number % HOSTS, name=name) for code in (1, 3))
            file.write("      </Gegevensdiensten>\n    </Zorgaanbieder>\n")
        file.write("  </Zorgaanbieders>\n</Zorgaanbiederslijst>\n")
    nodes = "".join(f"    <MedMijNode>za{host}.example.test</MedMijNode>\n" for host in range(HOSTS))
    namespace = "xmlns://afsprakenstelsel.medmij.nl/whitelist/release2/"
    whitelist.write_text(
        head.format(root="Whitelist", namespace=namespace) + f"  <MedMijNodes>\n{nodes}  </MedMijNodes>\n</Whitelist>\n",
        encoding="utf-8",
    )
    return zal, whitelist


def bare(zal: Path) -> int:
    """Validate, and count the providers."""
    count = 0
    for _, element in etree.iterparse(zal, tag=FORM.tag("Zorgaanbieder"), schema=etree.XMLSchema(etree.parse(SCHEMA))):
        count += 1
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]
    return count


def lists(zal: Path, whitelist: Path) -> int:
    """What the command does, without its words."""
    report, beside = list_files.judge_files([zal, whitelist])
    assert report.valid, report.problems[:3]
    assert beside.valid, beside.problems[:3]
    return report.records or 0


def measure(what: str, files: list[Path]) -> None:
    """Do it once in this process, and print what it took."""
    began, cpu = time.monotonic(), time.process_time()
    providers = bare(files[0]) if what == "bare" else lists(*files)
    figures = {"seconds": time.monotonic() - began, "cpu": time.process_time() - cpu, "providers": providers}
    print(json.dumps({**figures, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def measured(what: str, files: tuple[Path, Path]) -> dict[str, float]:
    """The figures of a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--measure", what, *files], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{what} ended with exit {done.returncode}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)


def compare(providers: int, runs: int, folder: Path) -> bool:
    """Measure lists of one length, and say what came out. Gives whether it is within the bars."""
    files = write(folder, providers)
    turns = [(measured("bare", files), measured("lists", files)) for _ in range(runs)]
    median = [{key: statistics.median(turn[side][key] for turn in turns) for key in ("seconds", "cpu", "mb")} for side in (0, 1)]
    assert all(turn[side]["providers"] == providers for turn in turns for side in (0, 1))
    ratio = median[1]["seconds"] / median[0]["seconds"]
    print(f"{providers} providers, {files[0].stat().st_size / 1e6:.0f} MB")
    for name, figures in zip(("iterparse(schema=)", "lists"), median, strict=True):
        print(f"  {name:18} {figures['seconds']:7.2f} s  (cpu {figures['cpu']:.2f} s)  {figures['mb']:6.0f} MB")
    print(f"  {ratio:.2f} times as long (bar {BAR} at {BAR_PROVIDERS}), {median[1]['mb']:.0f} MB (bar {BAR_MB} MB)")
    files[0].unlink()
    return providers != BAR_PROVIDERS or (ratio <= BAR and median[1]["mb"] <= BAR_MB)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--providers", type=int, nargs="+", default=[BAR_PROVIDERS])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--measure", choices=["bare", "lists"], help=argparse.SUPPRESS)
    parser.add_argument("files", type=Path, nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, options.files)
        return
    with tempfile.TemporaryDirectory(prefix="medmij-conformance-") as folder:
        within = [compare(providers, options.runs, Path(folder)) for providers in options.providers]
    sys.exit(0 if all(within) else 1)


if __name__ == "__main__":
    main()
