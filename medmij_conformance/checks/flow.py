"""The way through the flow: what each step hands to the next."""

from medmij_conformance.evidence import Exchange
from medmij_conformance.protocol import oauth
from medmij_conformance.requirements import Release
from medmij_conformance.verdict import Finding, Findings, check


@check("UCI-V.step.10", then="the gateway sends Roos back to the PGO with a code", accepts="authorization")
def code_is_issued(redirect: Exchange, redirect_uri: str) -> Findings:
    """After consent the browser is sent to the redirect URI with exactly one code and no error."""
    location = (redirect.response and redirect.response.header("location")) or ""
    target = oauth.redirect(location)
    if not oauth.leads_to(location, redirect_uri) or target.count("code") != 1:
        yield Finding(expected=f"a redirect to {redirect_uri} with one code", observed=location or f"{redirect.status}")


@check("APP.11a", then="the code is a version 4 UUID")
def code_is_uuid4(redirect: Exchange, release: Release) -> Findings:
    """An authorization code has the form that the release prescribes: a version 4 UUID."""
    code = oauth.redirect((redirect.response and redirect.response.header("location")) or "").get("code") or ""
    if not oauth.is_uuid4(code):
        yield Finding(expected=f"a code in the form {release.code.format}", observed=code or "no code")
