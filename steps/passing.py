"""Time: it passes."""

from pytest_bdd import when

from medmij_conformance.cast.registratie import Registration
from medmij_conformance.conformance import Conformance


@when("a day has passed")
def day_has_passed(conformance: Conformance, registered: Registration) -> None:
    conformance.let_pass(conformance.a_day_s, since=registered.since)
