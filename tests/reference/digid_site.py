"""A gateway that has people log in at a tiny DigiD, and the browser of one person."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.x509 import ocsp
from digid_idp import BACK, BSN, OTHER_BSN, Answer, Idp

from medmij_conformance.evidence import Request, Response, header_values
from medmij_conformance.pki import Credential
from medmij_conformance.reference.digid_login import DigidLogin, DigidSettings
from medmij_conformance.reference.dvza import Client, Dvza, Offer, Person
from medmij_conformance.wire.server import Peer

HOST = "za.reference.test"
PGO = "pgo.harness.test"
OFFER = Offer(zorgaanbieder="umcharderwijk@medmij", display_name="UMC Harderwijk", gegevensdienst="1")


def authorization(state: str = "a-state-of-the-pgo") -> str:
    """The address of a right authorization request."""
    query = {"response_type": "code", "client_id": PGO, "redirect_uri": f"https://{PGO}/cb", "scope": "1", "state": state}
    return f"https://{HOST}{OFFER.path}/authorize?{urlencode(query)}"


@dataclass
class Browser:
    """A browser that knows one gateway: it keeps cookies, and follows nothing."""

    gateway: Dvza
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, url: str) -> Response:
        """Open an address of the gateway."""
        return self.send(Request(method="GET", url=url))

    def post(self, url: str, **form: str) -> Response:
        """Send a form to the gateway."""
        kind = ("Content-Type", "application/x-www-form-urlencoded")
        return self.send(Request(method="POST", url=url, headers=(kind,), body=urlencode(form).encode()))

    def send(self, request: Request) -> Response:
        """Ask the gateway, with cookies."""
        cookie = ("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        asked = Request(method=request.method, url=request.url, headers=(*request.headers, cookie), body=request.body)
        answer = self.gateway.front(asked, Peer(address="127.0.0.1"))
        for line in header_values(answer.headers, "set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def authorize(self, state: str = "a-state-of-the-pgo") -> str:
        """Begin a collection. Where the browser is sent."""
        answer = self.get(authorization(state))
        assert answer.status == 303
        return answer.header("location") or ""


def ended(answer: Response) -> dict[str, str]:
    """The parameters that a browser brings back to the PGO; empty when it is not sent there."""
    where = urlsplit(answer.header("location") or "")
    return {name: values[0] for name, values in parse_qs(where.query).items()} if where.hostname == PGO else {}


def asks_consent(answer: Response) -> bool:
    """Whether the consent question is shown."""
    return answer.status == 200 and '<form id="consent"' in answer.text


@dataclass
class Site:
    """The gateway, its DigiD, and how a person fares."""

    gateway: Dvza
    login: DigidLogin
    idp: Idp
    folder: Path

    def collect(self, answer: Answer | None = None) -> Response:
        """A person logs in at DigiD, which answers like this. What she sees after it."""
        self.idp.answer = answer or Answer()
        browser = Browser(self.gateway)
        return browser.get(self.idp.login(browser.authorize()))


@dataclass(frozen=True)
class Keys:
    """RSA keys, which take long to make: of the service provider, of DigiD, and of somebody else."""

    provider: Credential
    digid: Credential
    other: Credential


def digid_member(idp: Idp) -> dict[str, object]:
    """The member ``digid`` of a settings file in the folder of ``listening``."""
    return {
        "idp_metadata": "idp.xml",
        "sp_metadata": "sp.xml",
        "entity_id": f"https://{HOST}/saml/metadata",
        "certificate": "provider.pem",
        "key": "provider.key",
        "ca": "ca.pem",
        "connect": {f"{BACK}:443": f"127.0.0.1:{idp.server.port}"},
        "limit_s": 10,
    }


def make_site(idp: Idp, settings: DigidSettings, folder: Path) -> Site:
    """A fresh gateway, and a DigiD that remembers nothing."""
    person, other = (Person(key=key, available=("1",)) for key in ("roos", "sanne"))
    gateway = Dvza(
        hostname=HOST,
        back_port=8443,
        offers=(OFFER,),
        persons={BSN: person, OTHER_BSN: other},
        clients={PGO: Client(hostname=PGO, organisation="PGO")},
    )
    gateway.identification = login = DigidLogin(gateway, settings)
    login.channel.peers.status_of = lambda chain: ocsp.OCSPCertStatus.GOOD  # type: ignore[method-assign]  # nobody listens as responder
    idp.audience, idp.recipient = settings.entity_id, login.acs
    idp.answer = Answer()
    for kept in (idp.requests, idp.queries, idp.resolves, idp.peers):
        kept.clear()
    return Site(gateway, login, idp, folder)
