"""The vendor of the gateway under test: what it does for us by a hook."""

import json

from pytest_bdd import when

from medmij_conformance.evidence import Evidence, Exchange, Request, Response, wall_time
from medmij_conformance.wire.hooks import Hooks


@when("the vendor hands over the log", target_fixture="log")
def hands_over_log(hooks: Hooks, evidence: Evidence) -> Exchange:
    body = json.dumps(hooks.call("log")).encode()
    request = Request(method="HOOK", url="hook:log")
    response = Response(status=200, headers=(("Content-Type", "application/json"),), body=body)
    return evidence.append(Exchange(label="hook log", endpoint="other", request=request, response=response, at=wall_time()))
