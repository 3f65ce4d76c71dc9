"""Answers of counterparts that do nothing, and of those that are busy: the same whatever a reference is."""

from collections.abc import Mapping

from medmij_conformance.evidence import Headers, Response

HTML: Headers = (("Content-Type", "text/html"),)
NULL_ANSWERS: Mapping[str, Response] = {
    "500 for everything": Response(status=500),
    "400 for everything": Response(status=400, body=b"Bad Request"),
    "an empty 200 for everything": Response(status=200),
    "a connection cut at once": Response(status=0),
    "a page without forms for everything": Response(
        status=200, headers=HTML, body=b"<!doctype html><title>Welcome</title><h1>Welcome</h1><p>It works!</p>"
    ),
}
"""Counterparts that do nothing: no check may pass on them. Status 0 stands for hanging up without an answer."""

SHEDDING: Mapping[str, Response] = {
    "429 for everything": Response(status=429),
    "503 with a page": Response(status=503, headers=HTML, body=b"<title>Busy</title><h1>Please come back later</h1>"),
}
"""Answers that say nothing about who is tested: no check may pass on them, and none may fail."""
