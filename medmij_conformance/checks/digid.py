"""DigiD: what the gateway says to the identity provider, and what it does with bad answers. SAML.1 to 7, UCI-V.step.4 to 7, JUR.11.

Signatures are verified over the raw octets when a message arrives; the evidence holds pseudonyms, over which no signature verifies.
What was found then is an ``Observation``.
"""

import math
from datetime import UTC, datetime
from urllib.parse import urlsplit

from medmij_conformance.checks import _reading as read
from medmij_conformance.evidence import Exchange, Observation
from medmij_conformance.protocol import oauth, saml
from medmij_conformance.requirements import Release
from medmij_conformance.verdict import CannotJudgeError, Finding, Findings, Outcome, check

Exchanges = tuple[Exchange, ...]

# DigiD takes two minutes either way; the catalogue wants one.
_FAR_S, _TOO_FAR_S = 60, 120
_RELAY_STATE_OCTETS = 80
PATIENCE_S = 60
"""Seconds in which a person has to hear that DigiD does not answer; half of that is long already."""
_LONG_S = PATIENCE_S // 2
_REVOKED = "says that it was revoked"
# Characters of an ID that differ from one to the next: bits at most, below which it is guessed, and below which it is weak.
_GUESSED_BITS, _WEAK_BITS = 64, 120


@check("SAML.1", then="the AuthnRequest is signed with the key of the metadata")
def authn_request_is_signed(authn_request: Exchange, signatures: Observation) -> Findings:
    """The AuthnRequest verifies, as it was sent, with the certificate of the gateway's metadata."""
    fault, algorithm = signatures.facts["authn_request"], signatures.facts["algorithm"]
    packed, message = _message(authn_request)
    expected = "a signature that verifies with a certificate of the metadata, over the address as it was sent or over the message"
    if fault:
        yield Finding(expected=expected, observed=fault)
    elif packed.octets and message.signatures:
        yield Finding(expected="the signature in the address alone", observed="one in the message too", outcome=Outcome.WARNING)
    elif algorithm != saml.RSA_SHA256:
        yield Finding(expected=saml.RSA_SHA256, observed=algorithm, outcome=Outcome.WARNING, reading="AMB.49")


@check("SAML.1", then="the AuthnRequest says what DigiD asks for")
def authn_request_is_complete(authn_request: Exchange, sp_entity_id: str, sso_address: str, least_level: str) -> Findings:
    """Version, ID, time, issuer, destination, return address and level stand in the AuthnRequest as the interface wants them."""
    _, message = _message(authn_request)
    if message.root != f"{{{saml.SAMLP}}}AuthnRequest":
        yield Finding(expected="an AuthnRequest", observed=message.root[:100])
        return
    if message.version != "2.0":
        yield Finding(expected='Version="2.0"', observed=f'Version="{message.version}"')
    if not message.id or not (message.id[0].isalpha() or message.id[0] == "_") or ":" in message.id:
        yield Finding(expected="an ID that begins with a letter or an underscore", observed=f'ID="{message.id}"')
    if message.issuer != sp_entity_id:
        yield Finding(expected=f"the Issuer {sp_entity_id}", observed=message.issuer or "no Issuer")
    yield from _about_its_time(message.issue_instant, authn_request.at)
    yield from _about_its_destination(message.destination, sso_address, by_form=authn_request.request.method == "POST")
    if (message.index is None) == (message.url is None):
        yield Finding(expected="an index or an address to return to, one of them", observed="both" if message.url else "neither")
    if message.comparison != "minimum" or len(message.classes) != 1:
        observed = f"Comparison={message.comparison!r} and {len(message.classes)} class references"
        yield Finding(expected="a requested level with Comparison=minimum and one class reference", observed=observed)
    else:
        yield from _about_its_level(message.classes[0], least_level)
    if message.passive:
        yield Finding(expected="a login that the person sees", observed="IsPassive", outcome=Outcome.WARNING)


def _about_its_time(issue_instant: str, at: str) -> Findings:
    moment, seen = saml.moment(issue_instant), datetime.fromisoformat(at).astimezone(UTC)
    if moment is None:
        yield Finding(expected="an IssueInstant in UTC that ends in Z", observed=issue_instant or "no IssueInstant")
        return
    away = abs((moment - seen).total_seconds())
    if away > _FAR_S:
        outcome = Outcome.FAIL if away > _TOO_FAR_S else Outcome.WARNING
        yield Finding(expected=f"an IssueInstant within {_FAR_S} s of {at}", observed=issue_instant, outcome=outcome)


def _about_its_destination(destination: str | None, sso_address: str, *, by_form: bool) -> Findings:
    if destination == sso_address:
        return
    outcome = Outcome.WARNING if destination is None and not by_form else Outcome.FAIL
    expected, observed = f"the Destination {sso_address}", destination or "no Destination"
    yield Finding(expected=expected, observed=observed, outcome=outcome, reading="AMB.49")


def _about_its_level(level: str, least: str) -> Findings:
    names = list(saml.LEVELS)
    known = [name for name, reference in saml.LEVELS.items() if reference == level]
    if not known:
        yield Finding(expected=f"a level of DigiD: {', '.join(saml.LEVELS.values())}", observed=level, reading="AMB.49")
    elif names.index(known[0]) < names.index(least):
        yield Finding(expected=f"at least the level {least}, which the target file names", observed=known[0])


@check("SAML.1", then="no two AuthnRequests have the same ID, and none can be guessed")
def authn_request_ids_cannot_be_guessed(authn_requests: Exchanges) -> Findings:
    """Over many logins every ID is new, and enough of it differs from one to the next."""
    ids = [_message(exchange)[1].id for exchange in authn_requests]
    if len(ids) < 2:
        raise CannotJudgeError("only one AuthnRequest was seen")
    if len(set(ids)) < len(ids):
        yield Finding(expected=f"{len(ids)} different IDs", observed=f"{len(set(ids))} different ones")
    varying = [
        column for column in map(set, zip(*(name.rjust(max(map(len, ids)), "\0") for name in ids), strict=True)) if len(column) > 1
    ]
    letters = set().union(*varying) if varying else set()
    alphabet = 16 if letters <= set("0123456789abcdefABCDEF-\0") else 64
    bits = int(len(varying) * math.log2(alphabet))
    if bits < _WEAK_BITS:
        outcome = Outcome.FAIL if bits < _GUESSED_BITS else Outcome.WARNING
        yield Finding(expected=f"at least {_WEAK_BITS} bits that differ", observed=f"{bits} at most", outcome=outcome)


@check("SAML.2", then="the RelayState is short and tells nothing")
def relay_state_is_opaque(
    authn_request: Exchange, redirect_uri: str, state: str, client_id: str, bsns: tuple[str, ...]
) -> Findings:
    """The RelayState has at most eighty octets, and neither an address nor anything of the person or of OAuth in it."""
    packed, _ = _message(authn_request)
    value = packed.relay_state or ""
    if len(value.encode()) > _RELAY_STATE_OCTETS:
        yield Finding(expected=f"at most {_RELAY_STATE_OCTETS} octets", observed=f"{len(value.encode())} octets")
    telling = {"the redirect URI": redirect_uri, "the state": state, "the client id": client_id}
    found = [name for name, secret in telling.items() if secret and secret in value]
    found += ["a BSN"] if any(bsn in value for bsn in bsns) else []
    found += ["an address"] if "://" in value and not found else []
    if found:
        yield Finding(expected="a value that means nothing to others", observed=f"{', '.join(found)} in it: {value}")


@check("UCI-V.step.4", then="DigiD will send Roos back to the gateway")
def return_address_is_the_gateways(authn_request: Exchange, consumers: tuple[str, ...], authorization_endpoint: str) -> Findings:
    """The address to return to stands in the metadata, is https, and is on the host of the gateway that sent the person."""
    _, message = _message(authn_request)
    known = dict(entry.partition(" ")[::2] for entry in consumers)
    address = message.url if message.url is not None else known.get(message.index or "", "")
    expected = f"an address of the metadata ({', '.join(known.values())}), https, on the gateway's host"
    if address not in known.values():
        yield Finding(expected=expected, observed=address or f"an index that is not there: {message.index}")
        return
    parts, own = urlsplit(address), urlsplit(authorization_endpoint).hostname or ""
    if parts.scheme != "https" or not _is_akin(parts.hostname or "", own):
        yield Finding(expected=f"an https address on {own} or beside it", observed=address)


def _is_akin(host: str, own: str) -> bool:
    """The same host, or another of the same domain."""
    return host == own or host.partition(".")[2] == own.partition(".")[2] != ""


@check("UCI-V.step.5", then="DigiD itself asks Roos who she is")
def login_is_at_digid(shown: Exchange, digid_page: str, login_forms: tuple[str, ...], consent_pages: tuple[str, ...]) -> Findings:
    """The login form is served by DigiD, in the window of the browser, and not by the gateway."""
    if read.shows(shown, (digid_page,)):
        return
    read.refuse_unknown_way(shown)
    framed = [frame for frame in read.page(shown).frames if frame]
    if read.shows(shown, (*login_forms, *consent_pages)) or framed or read.location(shown):
        observed = "DigiD in a frame" if framed else read.described(shown)
        yield Finding(expected="the login page of DigiD", observed=observed)
        return
    raise CannotJudgeError(f"no action of the recipe recognises the first page: {read.described(shown)}{read.advice(shown)}")


@check("UCI-V.step.7", "SAML.3", then="the gateway fetches the result once, from DigiD itself")
def artifact_is_resolved_once(consent_page: Exchange, consent_pages: tuple[str, ...], resolved: Observation) -> Findings:
    """A login that goes on was fetched from DigiD by exactly one ArtifactResolve."""
    if not read.shows(consent_page, consent_pages):
        raise CannotJudgeError(f"the login did not go on: {read.described(consent_page)}")
    count = len(resolved.facts["numbers"])
    if count != 1:
        yield Finding(expected="one ArtifactResolve for the artifact", observed=f"{count}")


@check("JUR.11", then="nothing is asked before DigiD has said who she is")
def consent_comes_after_digid(consent_page: Exchange, consent_pages: tuple[str, ...], resolved: Observation) -> Findings:
    """The consent question comes when DigiD has given the result of this very login, and not before."""
    if not read.shows(consent_page, consent_pages):
        raise CannotJudgeError(f"the consent question was not seen: {read.described(consent_page)}")
    numbers = resolved.facts["numbers"]
    if not [number for number in numbers if number < consent_page.number]:
        observed = f"the question came before the result of exchange {numbers[0]}" if numbers else "the result was never fetched"
        yield Finding(expected="the question after the result of DigiD", observed=observed)


@check("SAML.3", then="the ArtifactResolve is signed with the key of the metadata")
def artifact_resolve_is_signed(artifact_resolve: Exchange, signatures: Observation) -> Findings:
    """The ArtifactResolve holds one signature over itself, which verifies with the certificate of the gateway's metadata."""
    for fault in signatures.facts["artifact_resolves"]:
        if fault:
            expected = "a signature over the ArtifactResolve that verifies with a certificate of the metadata"
            yield Finding(expected=expected, observed=fault)


@check("SAML.3", then="the gateway shows its certificate to DigiD")
def artifact_resolve_uses_mutual_tls(artifact_resolve: Exchange) -> Findings:
    """The result is fetched over a connection on which the gateway shows a certificate that its authority vouches for."""
    tls = artifact_resolve.tls
    if tls is None or not tls.certificate_presented:
        yield Finding(expected="a connection with a client certificate", observed="none was shown")
    elif tls.peer_errors:
        observed = f"OpenSSL says {', '.join(tls.peer_errors)} (depth:error)"
        yield Finding(expected="a client certificate of an authority in [trust]", observed=observed)


@check("SAML.3", then="the ArtifactResolve says what DigiD asks for")
def artifact_resolve_is_complete(artifact_resolve: Exchange, sp_entity_id: str, artifact: str) -> Findings:
    """Version, ID, time, issuer and artifact stand in the ArtifactResolve as the interface wants them."""
    try:
        message = saml.artifact_resolve(saml.from_soap(artifact_resolve.request.body))
    except saml.SamlError as error:
        yield Finding(expected="an ArtifactResolve in a SOAP envelope", observed=str(error))
        return
    if message.version != "2.0" or not message.id:
        yield Finding(expected='an ID and Version="2.0"', observed=f"ID={message.id!r}, Version={message.version!r}")
    if message.issuer != sp_entity_id:
        yield Finding(expected=f"the Issuer {sp_entity_id}", observed=message.issuer or "no Issuer")
    if message.artifact != artifact:
        yield Finding(expected="the artifact as it was issued", observed=message.artifact or "no Artifact")
    yield from _about_its_time(message.issue_instant, artifact_resolve.at)


@check("SAML.6", then="the second collection has an AuthnRequest of its own")
def each_collection_has_its_own_authn_request(authn_request: Exchange, second_requests: Observation) -> Findings:
    """A second collection in the same browser brings a new AuthnRequest, and asks for a fresh login."""
    first, second = _message(authn_request)[1].id, second_requests.facts["ids"]
    if not set(second) - {first}:
        yield Finding(expected="a second AuthnRequest with another ID", observed="the first one again" if second else "none")
    elif not second_requests.facts["forced"]:
        yield Finding(expected='ForceAuthn="true"', observed="a request that lets DigiD skip the login", outcome=Outcome.WARNING)


# ----------------------------------------------------------------------------------------------- answers that are no login


@check("SAML.7", then="the failed login ends as exception 2", twin="authorization", raw=True)
def failed_login_of_digid_ends_as_exception_2(
    redirect: Exchange, redirect_uri: str, known_pages: tuple[str, ...], release: Release
) -> Findings:
    """A status of DigiD that is no success means that nobody has logged in, and the PGO hears of it."""
    yield from _refused(redirect, redirect_uri, known_pages, release, page=Outcome.FAIL)


@check("SAML.4", then="the unfitting answer is refused", twin="authorization", raw=True)
def unfitting_answer_is_refused(redirect: Exchange, redirect_uri: str, known_pages: tuple[str, ...], release: Release) -> Findings:
    """An answer for another request, another party or another time, or one that says too little, is no login."""
    yield from _refused(redirect, redirect_uri, known_pages, release)


@check("SAML.4", then="the low level is refused", twin="authorization", raw=True)
def low_level_is_refused(redirect: Exchange, redirect_uri: str, known_pages: tuple[str, ...], release: Release) -> Findings:
    """A login at a lower level than was asked, or at one that nobody knows, is no login."""
    yield from _refused(redirect, redirect_uri, known_pages, release)


@check("SAML.4", then="the forged answer is refused", twin="authorization", raw=True)
def forged_answer_is_refused(redirect: Exchange, redirect_uri: str, known_pages: tuple[str, ...], release: Release) -> Findings:
    """An answer that is not signed, or not wholly, or not by DigiD, is no login."""
    yield from _refused(redirect, redirect_uri, known_pages, release)


@check("SAML.4", then="the wrapped answer is refused", twin="authorization", raw=True)
def wrapped_answer_is_refused(redirect: Exchange, redirect_uri: str, known_pages: tuple[str, ...], release: Release) -> Findings:
    """What stands beside a good signature is not signed: an answer that hides the signed one somewhere is no login."""
    yield from _refused(redirect, redirect_uri, known_pages, release)


@check("SAML.4", then="the weak signature does not count", twin="authorization", raw=True)
def weak_signature_is_refused(redirect: Exchange, redirect_uri: str, known_pages: tuple[str, ...], release: Release) -> Findings:
    """A signature with SHA-1 is no signature any more; taking it as one is a warning."""
    yield from _refused(redirect, redirect_uri, known_pages, release, accepted=Outcome.WARNING)


@check("SAML.5", then="who is not named by a BSN is nobody", twin="authorization", raw=True)
def other_identity_is_refused(redirect: Exchange, redirect_uri: str, known_pages: tuple[str, ...], release: Release) -> Findings:
    """A name that is not one BSN in the sector of the BSN is no login."""
    yield from _refused(redirect, redirect_uri, known_pages, release)


@check("SAML.4", then="no answer is no login", twin="authorization", raw=True)
def broken_answer_is_refused(redirect: Exchange, redirect_uri: str, known_pages: tuple[str, ...], release: Release) -> Findings:
    """When DigiD does not answer, or not in SAML, or with a flood, the login has failed, and the gateway says so in time."""
    waited = redirect.finished - redirect.started
    if redirect.response and waited > _LONG_S:
        outcome = Outcome.FAIL if waited > PATIENCE_S else Outcome.WARNING
        yield Finding(expected=f"an answer within {_LONG_S} s", observed=f"one after {waited:.0f} s", outcome=outcome)
    yield from _refused(redirect, redirect_uri, known_pages, release)


@check("SAML.4", then="the gateway calls nobody because an answer says so", raw=True)
def hostile_answer_makes_no_call(redirect: Exchange, trapped: Observation) -> Findings:
    """Entities, transformations and redirects in an answer bring about no call of the gateway."""
    if redirect.response is None:
        raise CannotJudgeError(f"there was no answer to the login: {redirect.trouble and redirect.trouble.detail}")
    for number in trapped.facts["numbers"]:
        yield Finding(expected="no call to an address that the answer names", observed=f"a call (exchange {number})")


@check("SAML.3", then="a DigiD that cannot prove who it is learns nothing", twin="authorization", raw=True)
def unproven_digid_is_not_spoken_to(
    redirect: Exchange,
    redirect_uri: str,
    known_pages: tuple[str, ...],
    release: Release,
    resolved: Observation,
    digid_certificate: Observation,
) -> Findings:
    """Nothing is fetched from a server whose certificate is not that of DigiD's host, valid now, by an authority that is known."""
    findings = list(_refused(redirect, redirect_uri, known_pages, release))
    revoked, asked = digid_certificate.facts.get("manner") == _REVOKED, digid_certificate.facts.get("asked")
    word = f", and the responder was asked {asked} times about the certificate" if revoked else ""
    for number in resolved.facts["numbers"]:
        observed = f"one (exchange {number}) to a server that {digid_certificate.facts['about']}{word}"
        reading = "AMB.13" if revoked else ""
        findings.append(Finding(expected="no ArtifactResolve over that connection", observed=observed, reading=reading))
    if revoked and not asked and not any(finding.outcome is Outcome.FAIL for finding in findings):
        raise CannotJudgeError("reason unknown: the login was refused, but the responder was not asked about the certificate")
    yield from findings


@check("SAML.3", then="an answer that the browser brings is no login", twin="authorization", raw=True)
def posted_answer_is_refused(redirect: Exchange, redirect_uri: str, known_pages: tuple[str, ...], release: Release) -> Findings:
    """A signed answer in a form of the browser, where only an artifact may come, lets nobody in."""
    yield from _refused(redirect, redirect_uri, known_pages, release, page=Outcome.PASS)


@check("UCI-V.step.6", then="the stray artifact leads nowhere", twin="authorization", raw=True)
def stray_artifact_is_refused(redirect: Exchange, redirect_uri: str, known_pages: tuple[str, ...], release: Release) -> Findings:
    """An artifact that is missing, made up, used before or of somebody else's login lets nobody in."""
    yield from _refused(redirect, redirect_uri, known_pages, release, page=Outcome.PASS)


@check("SAML.2", then="the altered RelayState leads into no other session", twin="authorization", raw=True)
def altered_relay_state_is_harmless(redirect: Exchange, second_state: str) -> Findings:
    """Who comes back with another RelayState ends neither in the session that it names nor at the address that it names."""
    where = read.location(redirect) if redirect.response else ""
    target = oauth.redirect(where)
    if target.get("code") and target.get("state") == second_state:
        yield Finding(expected="no login for the other collection", observed=f"its code: {where}", outcome=Outcome.FAIL)
    elif urlsplit(where).hostname == "evil.example.org":
        yield Finding(expected="no redirect to the address in the RelayState", observed=f"a redirect to {where}")


@check("UCI-V.step.6", then="the awkward answer is as good as another", twin="authorization", contrast=True)
def awkward_answer_is_accepted(consent_page: Exchange, consent_pages: tuple[str, ...]) -> Findings:
    """An answer that is right but unusual is a login."""
    if not read.shows(consent_page, consent_pages):
        yield Finding(expected="the consent question, as after any other login", observed=read.described(consent_page))


def _refused(
    redirect: Exchange,
    redirect_uri: str,
    known_pages: tuple[str, ...],
    release: Release,
    *,
    page: Outcome = Outcome.WARNING,
    accepted: Outcome = Outcome.FAIL,
) -> Findings:
    """Exception 2 towards the PGO; ``page`` is what a refusal that only the person sees is worth, ``accepted`` a login."""
    row = release.exception(2)
    expected = f"a redirect to {redirect_uri} with error={row.code}"
    if redirect.response is None:
        trouble = redirect.trouble
        if trouble and trouble.kind == "timeout":
            yield Finding(expected=expected, observed=f"no answer: {trouble.detail}")
            return
        raise CannotJudgeError(f"{redirect.label}: {trouble.kind}: {trouble.detail}" if trouble else "there was no answer")
    read.refuse_load_shedding(redirect)
    where = read.location(redirect) or (read.page(redirect).refresh or "")
    if read.shows(redirect, known_pages):
        yield Finding(expected=expected, observed=f"the flow goes on: {read.described(redirect)}", outcome=accepted)
    elif oauth.leads_to(where, redirect_uri):
        target = oauth.redirect(where)
        error = target.get("error")
        if target.get("code"):
            yield Finding(expected=expected, observed="a code", outcome=accepted)
        elif error != row.code:
            yield Finding(
                expected=expected, observed=f"error={error}", hint=_hint(target.get("error_description")), reading="AMB.4"
            )
    elif where:
        read.refuse_unknown_way(redirect)
        yield Finding(expected=expected, observed=read.described(redirect))
    elif read.response(redirect).status >= 500:
        yield Finding(expected=expected, observed=read.described(redirect))
    elif page is not Outcome.PASS:
        observed = f"a page for the person alone: {read.described(redirect)}"
        yield Finding(expected=expected, observed=observed, outcome=page)


def _hint(description: str | None) -> str:
    return "that is another exception: the person was taken to be known" if description else ""


def _message(exchange: Exchange) -> tuple[saml.Packed, saml.AuthnRequest]:
    """An AuthnRequest as it was packed, and what it says. Raises ``CannotJudgeError`` when it cannot be read."""
    try:
        if exchange.request.method == "POST":
            packed = saml.from_form(dict(oauth.decode(exchange.request.text)))
        else:
            packed = saml.from_query(urlsplit(exchange.request.url).query)
        return packed, saml.authn_request(saml.parse(packed.xml))
    except saml.SamlError as error:
        raise CannotJudgeError(f"the AuthnRequest cannot be read: {error}") from error
