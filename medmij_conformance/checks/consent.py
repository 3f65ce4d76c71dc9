"""The pages that a person sees: the consent question, its three names and two choices, and what no page may do. TV.*, RFC 6819."""

import re
import unicodedata
from urllib.parse import unquote, urlsplit

from medmij_conformance.checks import _reading as read
from medmij_conformance.evidence import Exchange, header_values
from medmij_conformance.protocol.html import Page
from medmij_conformance.verdict import CannotJudgeError, Finding, Findings, Outcome, check

Exchanges = tuple[Exchange, ...]


@check("TV.1", "UCI-V.step.9", then="the gateway itself asks for consent")
def consent_is_asked_by_the_gateway(
    consent_page: Exchange, consent_pages: tuple[str, ...], authorization_endpoint: str
) -> Findings:
    """The consent question is a page on the gateway's own host, over https."""
    _consent(consent_page, consent_pages)
    shown, own = urlsplit(consent_page.request.url), urlsplit(authorization_endpoint)
    if (shown.scheme, shown.hostname) != ("https", own.hostname):
        yield Finding(expected=f"a page on https://{own.hostname}", observed=f"{shown.scheme}://{shown.hostname}")


@check("TV.2", "UCI-V.cons.1", then="the consent question names the care provider")
def care_provider_is_named(consent_page: Exchange, consent_pages: tuple[str, ...], provider_name: str) -> Findings:
    """The consent question shows the name of the care provider as the target file gives it."""
    yield from _named(consent_page, consent_pages, provider_name)


@check("TV.3", "UCI-V.cons.2", then="the consent question names the data service")
def data_service_is_named(consent_page: Exchange, consent_pages: tuple[str, ...], service_name: str) -> Findings:
    """The consent question shows the catalogue's name of the data service that the scope stands for."""
    yield from _named(consent_page, consent_pages, service_name)


@check("UCI-V.cons.3", then="the consent question names the supplier of the PGO")
def pgo_supplier_is_named(consent_page: Exchange, consent_pages: tuple[str, ...], pgo_name: str) -> Findings:
    """The consent question shows the supplier's name of the lists."""
    yield from _named(consent_page, consent_pages, pgo_name, reading="AMB.33")


@check("RFC6749.10.14", then="the markup in the name is shown as text")
def markup_in_a_name_is_harmless(consent_page: Exchange, consent_pages: tuple[str, ...], markup: str) -> Findings:
    """A name with markup from the lists is shown as text and never becomes part of the page."""
    shown = _consent(consent_page, consent_pages)
    if markup not in shown.text:
        text = read.response(consent_page).text
        became = markup in text or markup.replace("&", "&amp;") in text  # the latter is how a browser writes its page down
        yield Finding(
            expected=f"the characters {markup} shown as text",
            observed="the name's markup stands in the page as markup" if became else "a page without these characters",
            outcome=Outcome.FAIL if became else Outcome.WARNING,
        )


@check("TV.5", then="the consent question states the purpose")
def purpose_is_stated(consent_page: Exchange, consent_pages: tuple[str, ...], purposes: tuple[str, ...]) -> Findings:
    """The consent question states the purpose, in a phrase that the target file names."""
    text = _consent(consent_page, consent_pages).text.lower()
    if not any(phrase.lower() in text for phrase in purposes):
        yield Finding(expected=f"one of the phrases {purposes}", observed="none of them on the page")


@check("TV.6", then="the consent question links the full text")
def full_text_is_linked(consent_page: Exchange, consent_pages: tuple[str, ...], full_text_url: str) -> Findings:
    """The short statement has a link to the full text, over https: to the named address, or else at MedMij."""
    links = _consent(consent_page, consent_pages).links
    if full_text_url in links:
        return
    hosts = [urlsplit(link).hostname or "" for link in links if link.startswith("https://")]
    if not full_text_url and any(host == "medmij.nl" or host.endswith(".medmij.nl") for host in hosts):
        return
    yield Finding(expected=f"a link to {full_text_url or 'the full text at medmij.nl'}", observed=f"links to {links or 'nothing'}")


@check("TV.7", then="the consent question offers both choices")
def both_choices_are_offered(
    consent_page: Exchange, consent_pages: tuple[str, ...], grant: tuple[str, ...], refuse: tuple[str, ...]
) -> Findings:
    """The page has a control to grant and another to refuse."""
    _consent(consent_page, consent_pages)
    for meaning, selectors in (("grant", grant), ("refuse", refuse)):
        if not read.shows(consent_page, selectors):
            yield Finding(expected=f"a control to {meaning} consent", observed=f"nothing matches {selectors}")


@check("UCI-V.cons.1", then="each tab names its own care provider")
def each_tab_names_its_own_provider(
    consent_page: Exchange,
    provider_name: str,
    second_page: Exchange,
    second_provider_name: str,
    consent_pages: tuple[str, ...],
) -> Findings:
    """Two collections at two care providers in one browser each ask for consent in the name of their own."""
    yield from _named(consent_page, consent_pages, provider_name)
    yield from _named(second_page, consent_pages, second_provider_name)


@check("P&I.8", "TV.7", then="no choice is made beforehand")
def no_choice_is_made_beforehand(consent_page: Exchange, consent_pages: tuple[str, ...]) -> Findings:
    """In the form of the consent question no radio button and no box is ticked."""
    _consent(consent_page, consent_pages)
    ticked = [f"{page} input:checked" for page in consent_pages if read.shows(consent_page, [f"{page} input:checked"])]
    if ticked:
        yield Finding(expected="nothing ticked", observed=f"{ticked[0]} matches")


@check("TV.1", "P&I.8", then="the consent question is the given text")
def consent_text_is_the_given_one(consent_page: Exchange, consent_pages: tuple[str, ...], consent_text: str) -> Findings:
    """The statement stands on the page word for word, with the three names filled in; white space and quotation marks aside."""
    shown = normalised(_consent(consent_page, consent_pages).text)
    wanted = normalised(consent_text)
    if wanted in shown:
        return
    words = wanted.split(" ")
    fits = max(count for count in range(len(words) + 1) if " ".join(words[:count]) in shown)
    expected = f"the text of [consent] text, here: ... {' '.join(words[max(0, fits - 3) : fits + 5])} ..."
    yield Finding(expected=expected, observed=f"the page has its first {fits} of {len(words)} words", reading="AMB.67")


@check("P&I.8", then="the gateway asks for consent again")
def consent_is_asked_again(second_page: Exchange, consent_pages: tuple[str, ...]) -> Findings:
    """Consent holds for one exchange: a second collection asks again."""
    if not read.shows(second_page, consent_pages):
        yield Finding(expected="the consent question again", observed=read.described(second_page))


@check("P&I.9", then="there is no consent question before the login")
def consent_needs_a_login(early: Exchange, consent_pages: tuple[str, ...], redirect_uri: str) -> Findings:
    """Opening the consent address without having logged in shows no consent question and yields no code."""
    read.refuse_trouble_of_the_server(early)
    if read.shows(early, consent_pages) or read.brings_a_code(early, redirect_uri):
        yield Finding(expected="neither consent question nor code", observed=read.described(early))


@check("RFC6819.4.4.1.10a", then="the forged consent yields no code", twin="authorization")
def forged_consent_yields_no_code(answer: Exchange, redirect_uri: str) -> Findings:
    """A consent form that was not sent from its own page and session yields no code."""
    read.refuse_trouble_of_the_server(answer)
    if read.brings_a_code(answer, redirect_uri):
        yield Finding(expected="no code", observed=read.described(answer))


@check("RFC6819.4.4.1.9", "RFC6819.4.2.1b", then="no page of the gateway can be framed")
def pages_cannot_be_framed(visited_there: Exchanges) -> Findings:
    """Every HTML page forbids framing by X-Frame-Options or by frame-ancestors."""
    pages = [
        exchange
        for exchange in read.answers(visited_there)
        if exchange.endpoint != "other" and "html" in read.response(exchange).media_type
    ]
    if not pages:
        raise CannotJudgeError("the gateway showed no HTML page")
    for exchange in pages:
        if not _forbids_framing(exchange):
            yield Finding(
                expected="X-Frame-Options DENY or SAMEORIGIN, or a policy with frame-ancestors",
                observed=f"neither on {exchange.request.url} (exchange {exchange.number})",
            )


@check("APP.4", then="the BSN stays out of the browser")
def bsn_stays_out_of_the_browser(visited_there: Exchanges, bsns: tuple[str, ...]) -> Findings:
    """No answer to the browser holds the person's BSN, in whatever encoding: not in pages, fields, cookies or addresses."""
    for exchange in read.answers(visited_there):
        answer = read.response(exchange)
        texts = {"the page": answer.text, "a header": "\n".join(value for _, value in answer.headers)}
        texts["the address"] = exchange.request.url
        for place, text in texts.items():
            for how in read.bsn_forms(text, bsns):
                observed = f"it stands in {place} as {how} (exchange {exchange.number})"
                yield Finding(expected="no BSN", observed=observed, reading="AMB.56")


@check("APP.5", then="the BSN is nowhere between the gateways")
def bsn_is_nowhere_between_gateways(exchanged: Exchanges, bsns: tuple[str, ...]) -> Findings:
    """No message between the gateways holds a test person's BSN, in whatever encoding."""
    for exchange in exchanged:
        answer = read.response(exchange)
        for how in read.bsn_forms(answer.text + "\n".join(value for _, value in answer.headers), bsns):
            observed = f"it stands in the answer as {how} (exchange {exchange.number})"
            yield Finding(expected="no BSN", observed=observed, reading="AMB.56")


@check("RFC6750.5.3d", then="no cookie holds a code or a token")
def cookies_hold_no_credentials(visited_there: Exchanges, credentials: tuple[str, ...]) -> Findings:
    """No cookie that the gateway sets holds the code or the token."""
    for exchange in read.answers(visited_there):
        for cookie in header_values(read.response(exchange).headers, "set-cookie"):
            if any(credential in unquote(cookie) for credential in credentials):
                yield Finding(expected="no credential in a cookie", observed=f"cookie {cookie.partition('=')[0]}")


def _consent(exchange: Exchange, consent_pages: tuple[str, ...]) -> Page:
    if not read.shows(exchange, consent_pages):
        raise CannotJudgeError(f"the consent question was not shown: {read.described(exchange)}{read.advice(exchange)}")
    return read.page(exchange)


_SAME = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-"})


def normalised(text: str) -> str:
    """A text with white space folded and with plain quotation marks and dashes, so that only its words are compared."""
    return " ".join(unicodedata.normalize("NFC", text).translate(_SAME).split())


def _named(exchange: Exchange, consent_pages: tuple[str, ...], name: str, reading: str = "") -> Findings:
    text = _consent(exchange, consent_pages).text
    wanted = re.escape(" ".join(name.split()).lower())
    if not re.search(rf"(?<![\w@]){wanted}(?![\w@]|\.\w)", text.lower()):  # a part of a word, an address or a host is no name
        yield Finding(expected=f"the name {name!r}", observed="it is not on the page", reading=reading)


def _forbids_framing(exchange: Exchange) -> bool:
    """Whether a browser lets no other site frame a page. A policy with frame-ancestors overrules X-Frame-Options (CSP 2, 7.7.1)."""
    headers = read.response(exchange).headers
    policies = [policy for value in header_values(headers, "content-security-policy") for policy in value.lower().split(",")]
    allowed = [sources for policy in policies if (sources := _frame_ancestors(policy)) is not None]
    if allowed:
        return any(not any(map(_is_any_site, sources)) for sources in allowed)
    options = {option.strip().upper() for value in header_values(headers, "x-frame-options") for option in value.split(",")}
    return options in ({"DENY"}, {"SAMEORIGIN"})


def _frame_ancestors(policy: str) -> list[str] | None:
    """The sources of the first frame-ancestors of a policy; None when it has none."""
    directives = (directive.split() for directive in policy.split(";"))
    return next((words[1:] for words in directives if words[:1] == ["frame-ancestors"]), None)


def _is_any_site(source: str) -> bool:
    """Whether a source stands for every host: an asterisk, or a scheme alone."""
    host = source.partition("://")[2] or source
    return source.endswith(":") or host.partition(":")[0].partition("/")[0] == "*"
