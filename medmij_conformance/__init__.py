"""Protocol conformance test harness for gateways in MedMij."""

import atexit
import shutil
import tempfile
from functools import cache
from importlib import resources
from pathlib import Path

__version__ = "0.1.0"


@cache
def data_path(name: str) -> Path:
    """The folder ``name`` (``features``, ``steps`` or ``fixtures``) as a real directory.

    In a checkout (and so in an editable install) the folders stand beside the package, in a wheel inside it. From a zip file
    they are copied out once per process, because pytest and OpenSSL want real files. Raises ``FileNotFoundError`` if absent.
    """
    package = Path(__file__).parent
    for place in (package / name, package.parent / name):
        if place.is_dir():
            return place
    packed = resources.files(__name__) / name
    if not packed.is_dir():
        raise FileNotFoundError(f"the data folder {name!r} belongs to medmij-conformance, but this installation lacks it")
    unpacked = Path(tempfile.mkdtemp(prefix="medmij-conformance-"))
    atexit.register(shutil.rmtree, unpacked, ignore_errors=True)
    _copy(packed, unpacked / name)
    return unpacked / name


def _copy(source: resources.abc.Traversable, target: Path) -> None:
    if source.is_file():
        target.write_bytes(source.read_bytes())
        return
    target.mkdir()
    for child in source.iterdir():
        _copy(child, target / child.name)
