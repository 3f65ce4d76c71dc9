"""Binds every feature: ``pytest features --target FILE`` runs those of the target's role."""

from pytest_bdd import scenarios

scenarios(".")
