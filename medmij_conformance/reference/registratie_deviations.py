"""The ways in which ``reference:registratie`` can be wrong, one rule at a time.

Each replaces one method or attribute of a conformant ``Registratie``. The arguments of the decorator are the checks that must find
it, and no others may; the docstring ends with the requirements that are broken.
"""
# mypy: disable-error-code="method-assign, assignment"

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from medmij_conformance.protocol import lists
from medmij_conformance.protocol.tls import SSL3, TLS10
from medmij_conformance.reference import peer_deviations as peers
from medmij_conformance.reference import tls_scripts
from medmij_conformance.reference.deviation import Deviations
from medmij_conformance.reference.nothing import NULL_ANSWERS, SHEDDING
from medmij_conformance.reference.registratie import RefusedError, Register, Registratie, with_service
from medmij_conformance.wire.server import Peer

DEVIATIONS = Deviations()
peers.register(DEVIATIONS)
peers.register_asking(DEVIATIONS)

# ------------------------------------------------------------------------------------------------------ who gets a list


@DEVIATIONS("zal_is_given")
def zal_not_served(node: Registratie) -> None:
    """At the address of the ZAL is another list (UCI-ZAL.1)."""
    node.zal = node.ocl


@DEVIATIONS("whitelist_is_for_every_gateway")
def whitelist_for_pgo_gateways_only(node: Registratie) -> None:
    """Only PGO gateways get the Whitelist (P&I.18)."""
    conformant = node.admits

    def admits(peer: Peer, which: str) -> bool:
        clients = {client.hostname for client in node.ocl_content().clients}
        return conformant(peer, which) and (which != "whitelist" or not clients.isdisjoint(peer.hostnames))

    node.admits = admits


@DEVIATIONS("whitelist_is_given")
def whitelist_as_text(node: Registratie) -> None:
    """The Whitelist is a text with a host name on each line (UCI-WL.1)."""
    node.whitelist = lambda: "\n".join(each.hostname for each in node.whitelist_content().nodes).encode()


@DEVIATIONS("zal_needs_a_certificate")
def zal_without_certificate(node: Registratie) -> None:
    """The ZAL is given to whoever asks without a good certificate (NIB.A.10.1.1c)."""
    _admit_without_certificate(node, "zal")


@DEVIATIONS("whitelist_needs_a_certificate")
def whitelist_without_certificate(node: Registratie) -> None:
    """The Whitelist is given to whoever asks without a good certificate (NIB.A.10.1.1c)."""
    _admit_without_certificate(node, "whitelist")


@DEVIATIONS("unlisted_node_gets_no_zal", peers.OTHER_NODE)
def zal_for_every_node(node: Registratie) -> None:
    """The ZAL is given to every node with a good certificate, listed or not (NET.5a)."""
    _admit_every_node(node, "zal")


@DEVIATIONS("unlisted_node_gets_no_whitelist", peers.OTHER_NODE)
def whitelist_for_every_node(node: Registratie) -> None:
    """The Whitelist is given to every node with a good certificate, listed or not (NET.5a)."""
    _admit_every_node(node, "whitelist")


@DEVIATIONS(peers.OTHER_NODE)
def wildcard_names_the_nodes(node: Registratie) -> None:
    """A certificate for a whole domain is taken for that of a node in it that is listed (NET.5a)."""
    node.peers.is_listed = lambda name, listed: any(peers.covers(name, each) for each in listed)
    node.admits = lambda peer, _list: any(
        peers.covers(name, each) for name in peer.hostnames for each in node.edition.register.participants
    )


# ------------------------------------------------------------------------------------------------------ what is in them


@DEVIATIONS("zal_fits_its_schema")
def offer_without_authorization_address(node: Registratie) -> None:
    """A service of a care provider has no address where people give consent (P&I.10)."""
    _zal_with(node, lambda provider: with_service(provider, authorization_endpoint=""))


@DEVIATIONS("zal_fits_its_schema", "zal_has_one_source_per_service", "nothing_stands_twice_or_dangles")
def service_at_two_sources(node: Registratie) -> None:
    """A care provider has two sources for one service (P&I.11, META.1)."""
    _zal_with(node, lambda provider: replace(provider, services=(*provider.services, provider.services[0])))


@DEVIATIONS(
    "zal_fits_its_schema",
    "zal_has_one_source_per_service",
    "nothing_stands_twice_or_dangles",
    "names_follow_the_policy",
    "names_do_not_resemble_one_another",
)
def provider_listed_twice(node: Registratie) -> None:
    """A care provider stands in the ZAL twice (NAAM.2, P&I.13, META.1)."""
    conformant = node.zal_content

    def content() -> lists.Zal:
        zal = conformant()
        return replace(zal, providers=(*zal.providers, zal.providers[0]))

    node.zal_content = content


@DEVIATIONS("zal_fits_its_schema", "names_follow_the_policy", "names_have_three_letters")
def name_of_two_letters(node: Registratie) -> None:
    """A care provider has a name of two letters (NAAM.5, P&I.13)."""
    _zal_with(node, lambda provider: replace(provider, name="ab@medmij"))


@DEVIATIONS("zal_fits_its_schema", "names_follow_the_policy", "names_are_in_small_letters")
def name_with_capitals(node: Registratie) -> None:
    """A care provider has a name with capitals (NAAM.6, P&I.13)."""
    _zal_with(node, lambda provider: replace(provider, name="HuisartsJansen@medmij"))


@DEVIATIONS("zal_fits_its_schema", "names_follow_the_policy", "names_are_of_letters_alone")
def name_with_digits(node: Registratie) -> None:
    """A care provider has a name with digits and a hyphen (NAAM.7, P&I.13)."""
    _zal_with(node, lambda provider: replace(provider, name="praktijk-2@medmij"))


@DEVIATIONS(warns=["names_do_not_resemble_one_another"])
def names_alike(node: Registratie) -> None:
    """The names of two care providers differ in a doubled letter (NAAM.2)."""
    _zal_with(node, lambda provider: replace(provider, name="proefklinniek@medmij"))


@DEVIATIONS("service_has_one_gateway", "addresses_are_of_one_gateway")
def resource_on_a_second_gateway(node: Registratie) -> None:
    """The resource endpoint of a service is on another gateway than its token endpoint (META.7, META.6)."""
    _address_with(node, lambda role: role._replace(resource_endpoint=f"https://{_ANOTHER}/fhir"))


@DEVIATIONS("addresses_are_of_one_gateway", warns=["service_has_one_gateway"])
def role_at_two_addresses(node: Registratie) -> None:
    """A care provider has two addresses for one system role (META.7)."""

    def twice(provider: lists.Provider) -> lists.Provider:
        first = provider.services[0]
        role = first.systeemrollen[0]
        again = role._replace(resource_endpoint=f"{role.resource_endpoint}/elders")
        return replace(provider, services=(first, replace(first, gegevensdienst="13", systeemrollen=(again,))))

    _zal_with(node, twice)


@DEVIATIONS("zal_names_services_of_the_catalogue", warns=["service_has_one_gateway"])
def service_outside_the_catalogue(node: Registratie) -> None:
    """A care provider offers a service that the catalogue has not (META.8)."""
    _zal_with(node, lambda provider: with_service(provider, gegevensdienst="99"))


@DEVIATIONS("nothing_stands_twice_or_dangles", warns=["gateways_are_of_one_type"])
def source_off_the_whitelist(node: Registratie) -> None:
    """The gateway of a care provider is not on the Whitelist (META.1, P&I.15)."""

    def elsewhere(provider: lists.Provider) -> lists.Provider:
        service = provider.services[0]
        roles = tuple(role._replace(resource_endpoint=f"{_ELSEWHERE}/fhir") for role in service.systeemrollen)
        return with_service(provider, token_endpoint=f"{_ELSEWHERE}/token", systeemrollen=roles)

    _zal_with(node, elsewhere)


@DEVIATIONS("whitelist_fits_its_schema", "nothing_stands_twice_or_dangles")
def host_listed_twice(node: Registratie) -> None:
    """A gateway stands on the Whitelist twice (P&I.15, META.1)."""
    conformant = node.whitelist_content

    def content() -> lists.Whitelist:
        whitelist = conformant()
        return replace(whitelist, nodes=(*whitelist.nodes, whitelist.nodes[0]))

    node.whitelist_content = content


@DEVIATIONS("pgo_gateways_have_their_names")
def brand_for_a_name(node: Registratie) -> None:
    """A PGO gateway is listed with the brand of its product (P&I.16)."""
    _clients_with(node, lambda clients: [replace(client, organisation="Mijn Dossier") for client in clients])


@DEVIATIONS("za_gateways_have_no_name", warns=["gateways_are_of_one_type"])
def named_za_gateway(node: Registratie) -> None:
    """A ZA gateway is listed with a name for people (P&I.16, META.2)."""
    _clients_with(node, lambda clients: [*clients, lists.OAuthClient("za.harness.test", "Zorggroep De Wilg")])


# --------------------------------------------------------------------------------------------------------- what changes


@DEVIATIONS("change_is_in_the_zal", "zal_is_published_daily")
def zal_never_renewed(node: Registratie) -> None:
    """The ZAL is three days old, and stays so (APP.18, P&I.12)."""
    _keep_the_first_edition(node, "zal")


@DEVIATIONS("change_is_on_the_whitelist", "whitelist_is_published_daily")
def whitelist_never_renewed(node: Registratie) -> None:
    """The Whitelist is three days old, and stays so (APP.21a, P&I.17)."""
    _keep_the_first_edition(node, "whitelist")


@DEVIATIONS("change_is_in_the_zal")
def removed_provider_stays(node: Registratie) -> None:
    """A care provider that was removed stays in the ZAL (P&I.12)."""
    _ignore(node, "remove", "zal")


@DEVIATIONS("change_is_in_the_zal")
def moved_provider_keeps_its_address(node: Registratie) -> None:
    """A care provider whose addresses changed keeps the old ones in the ZAL (P&I.12)."""
    _ignore(node, "change", "zal")


@DEVIATIONS("change_is_on_the_whitelist")
def removed_gateway_stays(node: Registratie) -> None:
    """A gateway that was removed stays on the Whitelist (P&I.17)."""
    _ignore(node, "remove", "whitelist")


# --------------------------------------------------------------------------------------------------- what is registered


@DEVIATIONS("bad_provider_is_refused")
def second_source_accepted(node: Registratie) -> None:
    """A care provider with two sources for one service is registered (OPS.6)."""
    node.accept_services = lambda *_: None


@DEVIATIONS("bad_provider_is_refused")
def any_name_accepted(node: Registratie) -> None:
    """A care provider is registered under a name that breaks the naming policy (OPS.6)."""
    node.accept_name = lambda *_: None


@DEVIATIONS("bad_gateway_is_refused")
def any_gateway_accepted(node: Registratie) -> None:
    """A ZA gateway is registered with a name for people, a PGO gateway without one (OPS.6)."""
    node.accept_participant = lambda *_: None


@DEVIATIONS("bad_provider_is_refused", "bad_gateway_is_refused")
def refused_without_a_reason(node: Registratie) -> None:
    """A bad registration is refused, and the participant is not told why (OPS.6)."""
    node.confirm = lambda reason: {"accepted": not reason}


@DEVIATIONS("good_registration_is_accepted")
def nobody_registered(node: Registratie) -> None:
    """No care provider is registered, however good its entry (OPS.6)."""
    node.accept_name = _refuse_everybody


# ----------------------------------------------------------------------------------------------------------------- TLS


@DEVIATIONS("ssl_is_refused")
def ssl_3(node: Registratie) -> None:
    """The Stelselnode still answers SSL 3.0 (NET.1a)."""
    node.back_tls = replace(node.back_tls, script=tls_scripts.ssl(SSL3))


@DEVIATIONS("list_needs_tls")
def lists_without_tls(node: Registratie) -> None:
    """The lists can be had without TLS as well (NET.R1)."""
    conformant, node.clear_text = node.admits, True
    node.admits = lambda peer, which: not peer.tls_version or conformant(peer, which)


@DEVIATIONS("lists_take_sufficient_only", "back_channel_takes_good_only")
def nobody_gives_lists(node: Registratie) -> None:
    """The Stelselnode takes suites in which it does not say who it is (NET.1c)."""
    node.back_tls = replace(node.back_tls, suites="ECDHE+AESGCM:AECDH-AES128-SHA:@SECLEVEL=0")


@DEVIATIONS("back_channel_takes_good_only")
def tls_1_0(node: Registratie) -> None:
    """The Stelselnode still takes TLS 1.0 (NET.1b)."""
    node.back_tls = replace(node.back_tls, minimum=TLS10, suites="ECDHE+AESGCM:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")


@DEVIATIONS(warns=["back_channel_options_are_off"])
def renegotiation(node: Registratie) -> None:
    """A node may renegotiate with the Stelselnode as often as it likes (NET.1b)."""
    node.back_tls = replace(node.back_tls, renegotiation=True)


@DEVIATIONS("strongest_is_chosen", "back_channel_takes_good_only")
def order_of_the_node(node: Registratie) -> None:
    """The Stelselnode takes the suite that the node names first, the weaker one as well (NET.1d)."""
    node.back_tls = replace(node.back_tls, suites="ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE-ECDSA-AES256-SHA384", own_order=False)


# --------------------------------------------------------------------------------------------- what is legal, but unusual


@DEVIATIONS()
def another_media_type(node: Registratie) -> None:
    """Lists are of the media type text/xml."""
    node.headers = lambda: (("content-type", "text/xml"), ("Cache-Control", "no-store"), ("ETag", '"1"'))


@DEVIATIONS()
def media_type_with_charset(node: Registratie) -> None:
    """The media type of a list names its character set, and tells how a browser would save it."""
    node.headers = lambda: (("Content-Type", "Application/XML; charset=utf-8"), ("Content-Disposition", "attachment"))


@DEVIATIONS()
def schema_location_named(node: Registratie) -> None:
    """The root element says where its schema is."""
    instance = b' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="x y"'
    _documents_with(node, lambda document: document.replace(b'release2/">', b'release2/"' + instance + b">", 1))


@DEVIATIONS()
def no_white_space(node: Registratie) -> None:
    """There is no white space between the elements, and a comment before them."""
    _documents_with(node, lambda document: document.replace(b"?>\n<", b"?><!-- MedMij --><", 1).replace(b">\n", b">"))


@DEVIATIONS()
def published_every_hour(node: Registratie) -> None:
    """The lists are published every hour."""
    node.publish_every_s = 3_600


@DEVIATIONS()
def provider_with_many_services(node: Registratie) -> None:
    """A care provider offers every service of the catalogue, each with two system roles."""

    def many(provider: lists.Provider) -> lists.Provider:
        if provider.name.startswith("test"):  # a test entry, which is published as it was registered
            return provider
        service = provider.services[0]
        role = service.systeemrollen[0]
        rows = (
            replace(service, gegevensdienst=code, systeemrollen=tuple(role._replace(code=f"YY-{code}-{n}") for n in (1, 2)))
            for code in ("1", "3", "5", "7", "9", "11", "13")
        )
        return replace(provider, services=tuple(rows))

    _zal_with(node, many)


# -------------------------------------------------------------------------------------------- counterparts that do nothing

ODDITIES_TOGETHER: tuple[tuple[str, ...], ...] = (
    ("another-media-type", "schema-location-named", "published-every-hour", "status-asked-by-get"),
    ("media-type-with-charset", "no-white-space", "provider-with-many-services"),
)
"""Oddities that the selftest switches on together."""


def nullify(node: Registratie, name: str) -> None:
    """Make Registratie give the same answer to everything. Raises ``KeyError`` for an unknown name."""
    answer = {**NULL_ANSWERS, **SHEDDING}[name]
    node.answer = lambda *_: answer


# --------------------------------------------------------------------------------------------------- how they are made


def _admit_without_certificate(node: Registratie, given: str) -> None:
    conformant = node.admits
    node.client_certificate = "ask"

    def admits(peer: Peer, which: str) -> bool:
        bad = peer.certificate is None or any(error != "0:refused" for error in peer.errors)
        return which == given if bad else conformant(peer, which)

    node.admits = admits


def _admit_every_node(node: Registratie, given: str) -> None:
    conformant = node.admits
    node.peers.check_listed = peers.everybody_is_listed
    node.admits = lambda peer, which: which == given or conformant(peer, which)


def _zal_with(node: Registratie, change: Callable[[lists.Provider], lists.Provider]) -> None:
    """The ZAL with its last care provider changed."""
    conformant = node.zal_content

    def content() -> lists.Zal:
        zal = conformant()
        *others, last = zal.providers
        return replace(zal, providers=(*others, change(last)))

    node.zal_content = content


def _keep_the_first_edition(node: Registratie, kept: str) -> None:
    conformant, first = node.edition_of, node.edition
    old = replace(first, timestamp=first.timestamp - timedelta(days=3))
    node.edition_of = lambda which: old if which == kept else conformant(which)


def _ignore(node: Registratie, ignored: str, kept: str) -> None:
    """What was accepted does not come into the register."""
    conformant = node.enter

    def enter(register: Register, action: str, which: str) -> None:
        if (action, which) != (ignored, kept):
            conformant(register, action, which)

    node.enter = enter


def _refuse_everybody(*_: object) -> None:
    raise RefusedError("no such name")


_ANOTHER = "za.reference.test:8443"
_ELSEWHERE = "https://elders.test"


def _address_with(node: Registratie, change: Callable[[lists.Systeemrol], lists.Systeemrol]) -> None:
    _zal_with(node, lambda provider: with_service(provider, systeemrollen=tuple(map(change, provider.services[0].systeemrollen))))


def _clients_with(node: Registratie, change: Callable[[Sequence[lists.OAuthClient]], Sequence[lists.OAuthClient]]) -> None:
    conformant = node.ocl_content

    def content() -> lists.Ocl:
        ocl = conformant()
        return replace(ocl, clients=tuple(change(ocl.clients)))

    node.ocl_content = content


def _documents_with(node: Registratie, change: Callable[[bytes], bytes]) -> None:
    zal, whitelist, ocl = node.zal, node.whitelist, node.ocl
    node.zal = lambda: change(zal())
    node.whitelist = lambda: change(whitelist())
    node.ocl = lambda: change(ocl())
