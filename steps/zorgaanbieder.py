"""The source behind the gateway: what the vendor makes it do for us."""

from collections.abc import Iterator

from pytest_bdd import given

from medmij_conformance.wire.hooks import Hooks


@given("the source behind the gateway does not answer", target_fixture="source")
def source_is_down(hooks: Hooks) -> Iterator[None]:
    try:
        hooks.call("source_down")
        yield
    finally:  # also when it is not sure that the source went down: everything after this needs it
        hooks.call("source_up")
