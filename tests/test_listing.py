"""The lists on which the harness stands are those that ``lists`` accepts, in every generation that a target file can name."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from medmij_conformance import workspace
from medmij_conformance.cli import main
from medmij_conformance.list_files import judge_files
from medmij_conformance.protocol import lists

ELSEWHERE = ("https://za.example.nl:8443/fhir", "https://elders.example.nl:8443/fhir")
CONNECTED = '"elders.example.nl:8443" = "127.0.0.1:8444"'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace for a ZA gateway."""
    folder = tmp_path_factory.mktemp("made") / "mine"
    workspace.initialise(folder, "dvza")
    return folder


def exported(made: Path, generation: str, out: Path, change: tuple[str, str] = ("", ""), connect: str = "") -> Result:
    """What ``export-lists`` does for a target file of that generation, with a change of its text and a line of ``[connect]``."""
    text = (made / "target.toml").read_text(encoding="utf-8").replace(*change)
    text = re.sub(r"(\[connect\].*\n)", rf"\1{connect}\n", text)
    target = made / f"{out.name}.toml"
    target.write_text(f'{text}\n[lists]\ngeneration = "{generation}"\n', encoding="utf-8")
    return CliRunner().invoke(main, ["export-lists", str(target), "--out", str(out)], catch_exceptions=False)


@pytest.mark.parametrize(
    ("generation", "names"),
    [
        ("1.0", {"oauthclientlist", "whitelist", "zorgaanbiederslijst"}),
        ("1.1", {"gegevensdienstnamenlijst", "oauthclientlist", "whitelist", "zorgaanbiederslijst"}),
        ("metamodel", {"whitelist", "zorgaanbiederslijst"}),
    ],
)
def test_exported_lists_are_valid_together(made: Path, generation: str, names: set[str], tmp_path: Path) -> None:
    """Every generation has its lists, and no rule has anything against them, nor between them."""
    result = exported(made, generation, tmp_path)
    assert result.exit_code == 0, result.output
    assert {path.stem for path in tmp_path.iterdir()} == names
    for report in judge_files(sorted(tmp_path.iterdir())):
        assert (report.problems, report.notes, report.generation) == ([], [], generation), report.file


def test_the_metamodel_names_the_harness_and_types_all(made: Path, tmp_path: Path) -> None:
    """Without an OAuthclientlist the names of PGOs stand on the Whitelist; the gateway under test is one of a ZA."""
    exported(made, "metamodel", tmp_path)
    whitelist = lists.parse((tmp_path / "whitelist.xml").read_bytes())
    assert isinstance(whitelist, lists.Whitelist)
    assert {(node.participant_type, bool(node.friendly_name)) for node in whitelist.nodes} == {("DVP", True), ("DVZA", False)}


def test_what_a_generation_cannot_express_is_told(made: Path, tmp_path: Path) -> None:
    """Two hosts for a service are an error of the target file in the metamodel, not a wrong list."""
    result = exported(made, "metamodel", tmp_path, ELSEWHERE, CONNECTED)
    assert result.exit_code == 2
    assert "lists.generation: the metamodel has one https gateway for a service, not 'za.example.nl' and" in result.output


def test_both_back_channel_hosts_are_on_the_whitelist(made: Path, tmp_path: Path) -> None:
    """Where the resource endpoint has a host of its own, that host is a node too."""
    result = exported(made, "1.0", tmp_path, ELSEWHERE, CONNECTED)
    assert result.exit_code == 0, result.output
    whitelist = lists.parse((tmp_path / "whitelist.xml").read_bytes())
    assert isinstance(whitelist, lists.Whitelist)
    assert {"za.example.nl", "elders.example.nl"} <= {node.hostname for node in whitelist.nodes}
