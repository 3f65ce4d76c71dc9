"""One session of pytest in which nothing of its surroundings takes part."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

_UNWANTED = ("cacheprovider", "terminal", "warnings", "unraisableexception")  # the last one collects garbage five times


def session(options: Sequence[str], plugins: Sequence[object], files: Sequence[Path]) -> int:
    """Run pytest with ``options`` over ``files``. Gives pytest's exit code."""
    with tempfile.TemporaryDirectory(prefix="medmij-conformance-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # other plugins of the environment could change a verdict
        settings = Path(folder) / "pytest.ini"
        settings.write_text("[pytest]\n", encoding="utf-8")
        arguments = ["-c", str(settings), "--rootdir", folder, "-p", "pytest_bdd.plugin"]
        arguments += [*(f"-pno:{plugin}" for plugin in _UNWANTED), "--noconftest", "--capture=no"]
        return int(pytest.main([*arguments, *options, *map(str, files)], plugins=list(plugins)))
