"""The command line: reads what is asked, lets pytest run it, and turns the verdict into an exit code."""

import click

from medmij_conformance import __version__


@click.group()
@click.version_option(__version__)
def main() -> None:
    """Protocol conformance test harness for gateways in MedMij."""
