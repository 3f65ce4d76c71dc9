"""The PGO gateway, played: an OAuth client that does everything right, except the one thing it is told to do wrong.

No I/O: every method gives a request, or takes an answer apart. What it says is told to it when it is made, so that it knows no
norm of a release by itself.
"""

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol
from urllib.parse import urlsplit

from medmij_conformance.evidence import Exchange, Request
from medmij_conformance.protocol import fhir, oauth

Changes = Mapping[str, str | Sequence[str] | None]


class Offer(Protocol):
    """What a care provider offers through a gateway: the addresses of the ZAL for one provider and service."""

    @property
    def authorization_endpoint(self) -> str: ...
    @property
    def token_endpoint(self) -> str: ...
    @property
    def resource_endpoint(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pgo:
    """One listed PGO gateway: its node, its client id and the address to which people return."""

    name: str
    hostname: str
    client_id: str
    redirect_uri: str
    organisation: str
    response_type: str
    grant_type: str
    other_host: str = "other.harness.test"
    random: Random = field(default_factory=Random, compare=False)

    def state(self) -> str:
        """A fresh state: 32 characters that need no escaping, some 190 bits."""
        return "".join(self.random.choices(string.ascii_letters + string.digits, k=32))

    def unknown_credential(self) -> str:
        """A well-formed version 4 UUID that no gateway has issued."""
        digits = f"{self.random.getrandbits(128):032x}"
        variant = "89ab"[self.random.randrange(4)]
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"

    def parameters(self, scope: str, state: str) -> list[tuple[str, str]]:
        """The parameters of a right authorization request."""
        return [
            ("response_type", self.response_type),
            ("client_id", self.client_id),
            ("redirect_uri", self.redirect_uri),
            ("scope", scope),
            ("state", state),
        ]

    def authorization_request(self, offer: Offer, scope: str, state: str, changes: Changes | None = None) -> Request:
        """Step 2: the address to which the person's browser is sent. ``changes`` replace, remove or repeat parameters."""
        changed = oauth.change(self.parameters(scope, state), changes or {})
        return Request(method="GET", url=oauth.with_query(offer.authorization_endpoint, changed))

    def token_request(
        self,
        offer: Offer,
        code: str,
        changes: Changes | None = None,
        *,
        redirect_uri: str | None = None,
        method: str = "POST",
        content_type: str = "application/x-www-form-urlencoded",
    ) -> Exchange:
        """Step 12: the code is redeemed on the back channel. ``redirect_uri`` is that of the authorization request."""
        parameters = [
            ("grant_type", self.grant_type),
            ("code", code),
            ("redirect_uri", redirect_uri or self.redirect_uri),
            ("client_id", self.client_id),
        ]
        changed = oauth.change(parameters, changes or {})
        url, body = offer.token_endpoint, oauth.encode(changed).encode()
        headers: tuple[tuple[str, str], ...] = (("Accept", "application/json"),)
        if method == "GET":
            url, body = oauth.with_query(url, changed), b""
        else:
            headers += (("Content-Type", content_type),)
        request = Request(method=method, url=url, headers=headers, body=body)
        return Exchange(label="token request", endpoint="token", request=request, identity=self.name, twin=self.name)

    def resource_request(
        self,
        offer: Offer,
        token: str | None,
        path: str,
        *,
        scheme: str = "Bearer",
        method: str = "GET",
        body: bytes = b"",
        content_type: str = fhir.JSON,
        query: oauth.Parameters = (),
    ) -> Exchange:
        """Step 14: a FHIR request with the token in its header. ``path`` is relative to the resource endpoint."""
        url = f"{offer.resource_endpoint.rstrip('/')}/{path}" if path else offer.resource_endpoint
        if query:
            url = oauth.with_query(url, query)
        headers: tuple[tuple[str, str], ...] = (("Accept", fhir.JSON),)
        if token is not None:
            headers += (("Authorization", f"{scheme} {token}"),)
        if body:
            headers += (("Content-Type", content_type),)
        request = Request(method=method, url=url, headers=headers, body=body)
        return Exchange(label="FHIR request", endpoint="resource", request=request, identity=self.name, twin=self.name)

    def fill(self, template: str, scopes: Mapping[str, str] | None = None) -> str:
        """An example value of a feature with its ``{braces}`` filled: this PGO's host, client id, redirect URI, and scopes."""
        path = urlsplit(self.redirect_uri).path
        values = {
            "other_host": self.other_host,
            "host": urlsplit(self.redirect_uri).netloc,
            "path": path,
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "redirect_uri:upper": self.redirect_uri[: -len(path)] + path.upper() if path else self.redirect_uri.upper(),
            **(scopes or {}),
        }
        for name, value in values.items():
            template = template.replace("{" + name + "}", value)
        return template
