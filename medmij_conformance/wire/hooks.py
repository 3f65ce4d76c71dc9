"""What the vendor does for us while a run goes on: a command, an HTTP call, or a word to the operator."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from medmij_conformance.wire.control import CommandError, call


class HookError(Exception):
    """A hook is missing or did not do what it was asked; the message names it."""


class Hook(Protocol):
    """One entry of ``[hooks]``."""

    @property
    def kind(self) -> str: ...
    @property
    def value(self) -> tuple[str, ...] | str: ...


class Person(Protocol):
    """Somebody at the terminal who carries out a hook by hand."""

    def carry_out(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Ask for the hook ``name`` and give what is answered, if anything. Raises ``OperatorError`` when it is not done."""


class OperatorError(Exception):
    """The operator did not do what was asked; the message says why."""


class Hooks:
    """The hooks of a target file. ``folder`` is where commands run; ``timeout_s`` bounds each.

    ``operator`` is who carries out what only a person can do; None when nobody is at the terminal.
    """

    def __init__(self, hooks: Mapping[str, Hook], folder: Path, *, timeout_s: float = 60.0, operator: Person | None = None) -> None:
        self._hooks = hooks
        self._folder = folder
        self._timeout_s = timeout_s
        self._operator = operator

    def call(self, name: str, /, **arguments: Any) -> Any:
        """Carry out a hook and return the JSON that it answers with, if any. Raises ``HookError``."""
        hook = self._hooks.get(name)
        if hook is None:
            raise HookError(f"the target file has no hook {name!r} in [hooks]")
        if hook.kind == "http":
            return self._post(name, str(hook.value), arguments)
        if hook.kind == "command":
            return self._command(name, tuple(hook.value), arguments)
        return self._ask(name, arguments)

    def _ask(self, name: str, arguments: Mapping[str, Any]) -> Any:
        if self._operator is None:
            raise HookError(f"hook {name!r} needs an operator, and nobody is at the terminal")
        try:
            return self._operator.carry_out(name, arguments)
        except OperatorError as error:
            raise HookError(f"hook {name!r}: {error}") from error

    def _post(self, name: str, url: str, arguments: Mapping[str, Any]) -> Any:
        try:
            return call(url, arguments, timeout_s=self._timeout_s)
        except CommandError as error:
            raise HookError(f"hook {name!r}: {error}") from error

    def _command(self, name: str, command: tuple[str, ...], arguments: Mapping[str, Any]) -> Any:
        try:
            done = subprocess.run(
                command,
                cwd=self._folder,
                input=json.dumps(dict(arguments)),
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=self._timeout_s,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise HookError(f"hook {name!r}: {error}") from error
        if done.returncode:
            said = done.stderr.strip().splitlines()[-1:] or ["nothing on standard error"]
            raise HookError(f"hook {name!r}: exit {done.returncode}: {said[0]}")
        try:
            return json.loads(done.stdout) if done.stdout.strip() else None
        except (ValueError, RecursionError):
            return done.stdout
