"""What ``init`` makes for each role: a target file, a test PKI in two forms, lists, and a page that tells the truth about them."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from medmij_conformance import handbook, workspace
from medmij_conformance.pki import Credential
from medmij_conformance.target import load

JAVA_TRUSTS = "2.16.840.1.113894.746875.1.1"
ROLES = ("dvza", "dvp", "registratie")


@pytest.fixture(scope="module", params=ROLES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Role, and the folder that ``init`` made for it."""
    folder = tmp_path_factory.mktemp("init") / request.param
    workspace.initialise(folder, request.param)
    return request.param, folder


def _password(folder: Path) -> str:
    return (folder / "pki" / "password.txt").read_text(encoding="utf-8").strip()


def test_the_target_file_loads(made: tuple[str, Path]) -> None:
    """The file is right as it is, names the role, and has an issuer, whatever the role."""
    role, folder = made
    target = load(folder / "target.toml")
    assert target.about.role == role
    assert target.pki.issuer


def test_secrets_can_come_from_the_environment(made: tuple[str, Path]) -> None:
    """The comments on a PKCS#12 file are right: uncommented, with the password in the environment, the file loads."""
    _, folder = made
    text = (folder / "target.toml").read_text(encoding="utf-8")
    pem = re.search(r'^certificate = "pki/harness\.pem"\nkey = "pki/harness\.key".*\n', text, re.MULTILINE)
    assert pem
    commented = ('# certificate = "pki/harness.p12"', '# key_password = { env = "MEDMIJ_P12_PASSWORD" }')
    assert all(line in text for line in commented)
    changed = text.replace(pem.group(), "")
    for line in commented:
        changed = changed.replace(line, line.removeprefix("# "))
    file = folder / "from-environment.toml"
    file.write_text(changed, encoding="utf-8")
    target = load(file, {"MEDMIJ_P12_PASSWORD": _password(folder)})
    assert target.harness.certificate == folder / "pki" / "harness.p12"
    assert target.harness.key_password == _password(folder)


def test_every_node_opens_as_pkcs12(made: tuple[str, Path]) -> None:
    """Each certificate is there as PEM and as PKCS#12, with the same key and chain; cryptography and openssl both open it."""
    role, folder = made
    for name in ("issuer", *workspace.NODES[role]):
        pem = Credential.from_pem((folder / "pki" / f"{name}.pem").read_bytes(), (folder / "pki" / f"{name}.key").read_bytes())
        file = folder / "pki" / f"{name}.p12"
        opened = Credential.from_pkcs12(file.read_bytes(), _password(folder).encode())
        assert (opened.certificate, opened.chain, opened.key_pem) == (pem.certificate, pem.chain, pem.key_pem)
        command = ["openssl", "pkcs12", "-in", file, "-passin", f"file:{folder / 'pki' / 'password.txt'}", "-nokeys"]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert x509.load_pem_x509_certificates(shown.encode())[0] == pem.certificate
        with pytest.raises(ValueError, match="password"):
            Credential.from_pkcs12(file.read_bytes(), b"another")


def test_the_trust_store_holds_the_root_alone(made: tuple[str, Path]) -> None:
    """``ca.p12`` holds the certificate of ``ca.pem`` and no key."""
    _, folder = made
    opened = pkcs12.load_pkcs12((folder / "pki" / "ca.p12").read_bytes(), _password(folder).encode())
    assert opened.key is None
    held = [opened.cert, *opened.additional_certs]
    root = x509.load_pem_x509_certificate((folder / "pki" / "ca.pem").read_bytes())
    assert [each.certificate for each in held if each] == [root]


def test_java_takes_the_trust_store_for_one(made: tuple[str, Path]) -> None:
    """The root bears the attribute by which Java trusts it, which an ordinary PKCS#12 file lacks; keytool agrees where it is."""
    _, folder = made
    password = ["-passin", "file:pki/password.txt", "-nokeys"]

    def shown(file: str) -> str:
        command = ["openssl", "pkcs12", "-in", f"pki/{file}", *password]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout

    assert JAVA_TRUSTS in shown("ca.p12")
    assert JAVA_TRUSTS not in shown("harness.p12")
    if shutil.which("keytool"):
        command = ["keytool", "-list", "-keystore", "pki/ca.p12", "-storetype", "PKCS12", "-storepass:file", "pki/password.txt"]
        listed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
        assert listed.count("trustedCertEntry") == 1


def test_secret_files_are_for_the_owner_alone(made: tuple[str, Path]) -> None:
    """Keys, PKCS#12 files and the password can be read by nobody else."""
    _, folder = made
    private = [path for path in (folder / "pki").iterdir() if path.suffix in {".key", ".p12", ".txt"}]
    assert len(private) > 4
    assert [path.name for path in private if path.stat().st_mode & 0o077] == []


def test_every_file_that_the_page_names_is_there_and_every_file_is_named(made: tuple[str, Path]) -> None:
    """The page leaves out no file but the keys, of which it says that they stand beside, and names none that is missing."""
    _, folder = made
    text = (folder / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:pki|lists)/[\w.-]+|[\w-]+\.(?:xml|toml))`", text))
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    there -= {"README.md", "from-environment.toml", "truststore.p12"}
    keys = {path for path in there if path.endswith(".key")}
    assert named - there == set()
    assert there - keys == named - keys
    assert all(f"`{Path(path).name}`" in text for path in keys)


def test_the_page_names_every_node_and_address_of_the_target(made: tuple[str, Path]) -> None:
    """Whoever the harness is stands in the page, and where it listens."""
    role, folder = made
    text = (folder / "README.md").read_text(encoding="utf-8")
    harness = load(folder / "target.toml").harness
    for node in filter(None, (harness, harness.other, harness.unlisted)):
        assert f"`{node.hostname}`" in text
    for address in filter(None, (harness.listen, harness.listen_back)):
        assert f"`{address}`" in text
    assert ("Registratie" in text.splitlines()[0]) == (role == "registratie")


def test_the_commands_of_the_page_work(made: tuple[str, Path]) -> None:
    """Every shell command of the page, in its order, in the workspace."""
    _, folder = made
    copy = folder.with_name(f"{folder.name}-copy")
    shutil.copytree(folder, copy)
    blocks = re.findall(r"^```sh\n(.*?)^```", (folder / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 3
    if not shutil.which("keytool"):
        blocks = [block for block in blocks if not block.startswith("keytool")]
    binaries = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
    script = "set -eu\n" + "\n".join(blocks) + '\ntest -n "$MEDMIJ_P12_PASSWORD"\n'
    done = subprocess.run(["sh", "-c", script], cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _planned(medmij: Any, file: Path) -> Mapping[str, Any]:
    done = medmij("plan", file, "--json")
    assert done.returncode == 0, done.stderr
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("role", ROLES)
def test_what_the_page_says_that_drops_is_what_drops(role: str, medmij: Any, tmp_path: Path) -> None:
    """The plan of a target with every hook, with ``[pki]`` and without: the difference is what the page lists."""
    target, reference = workspace.REFERENCES[role](tmp_path)
    reference.stop()
    with_pki = _planned(medmij, target.path)
    text = target.path.read_text(encoding="utf-8")
    without = tmp_path / "without.toml"
    without.write_text(re.sub(r"^\[pki\].*?(?=^\[)", "", text, flags=re.MULTILINE | re.DOTALL), encoding="utf-8")
    less = _planned(medmij, without)

    lost = handbook.dropped(role, "1.0", {"pki", "ocsp"})
    ids = {row["id"].partition("[")[0] for row in with_pki["scenarios"]} - {
        row["id"].partition("[")[0] for row in less["scenarios"]
    }
    assert set(lost.scenarios) == ids
    shown = {name for name, row in with_pki["requirements"].items() if row["planned"]}
    still = {name for name, row in less["requirements"].items() if row["planned"]}
    assert set(lost.requirements) == shown - still
    workspace.initialise(tmp_path / "made", role)
    page = (tmp_path / "made" / "README.md").read_text(encoding="utf-8")
    assert all(f"`{check}`" in page for check in lost.checks)
    assert f"not tested: {', '.join(lost.requirements)}." in page


def test_no_two_processes_get_the_same_port() -> None:
    """Targets that are started at once never collide: a port that one process was given, no other gets while it lives."""
    code = "from medmij_conformance.workspace import _free_port; print(*(_free_port() for _ in range(20)), flush=True); input()"
    pipe = subprocess.PIPE
    with contextlib.ExitStack() as stack:
        command = [sys.executable, "-c", code]
        asked = [stack.enter_context(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)) for _ in range(8)]
        given = [int(port) for each in asked if each.stdout for port in each.stdout.readline().split()]
        for each in asked:
            each.communicate("\n", timeout=30)
    assert len(given) == len(set(given)) == 8 * 20
