"""How the PGO comes by its lists."""
# mypy: disable-error-code="method-assign, assignment"

from medmij_conformance.protocol import lists
from medmij_conformance.reference import list_deviations
from medmij_conformance.reference import peer_deviations as peers
from medmij_conformance.reference.dvp import Dvp
from medmij_conformance.reference.dvp_deviations._shared import DEVIATIONS

_TOLD = (
    "whitelist_is_fetched_when_told",
    "zal_is_fetched_when_told",
    "newest_address_is_used",
    "nothing_is_sent_to_an_unlisted_node",
    "rollback_is_followed_by_the_pgo",
)
_NEVER = ("whitelist_is_fetched_hourly",)
DEVIATIONS(*(*_TOLD, *_NEVER), warns=["zal_is_fetched_daily", "failure_to_fetch_is_survived", "old_whitelist_stops_collections"])(
    list_deviations.lists_by_hand
)
DEVIATIONS("whitelist_is_fetched_over_mutual_tls", "zal_is_fetched_over_mutual_tls")(list_deviations.lists_without_certificate)
DEVIATIONS(*_TOLD, warns=["failure_to_fetch_is_survived"])(list_deviations.no_fetch_by_hand)
DEVIATIONS("rollback_is_followed_by_the_pgo")(list_deviations.older_list_refused)
DEVIATIONS("bad_whitelist_stops_no_collection", "bad_zal_is_not_used")(list_deviations.lists_not_validated)
DEVIATIONS("bad_whitelist_stops_no_collection", warns=["failure_to_fetch_is_survived"])(list_deviations.half_a_list)
DEVIATIONS("whitelist_is_fetched_hourly")(list_deviations.whitelist_once)
DEVIATIONS(warns=["whitelist_is_fetched_hourly"])(list_deviations.whitelist_every_half_hour)
DEVIATIONS(warns=["old_whitelist_stops_collections"])(list_deviations.old_whitelist_used)
DEVIATIONS(peers.INVALID)(list_deviations.lists_of_anybody)
DEVIATIONS("no_list_is_asked_of_another_node")(list_deviations.lists_of_any_host)
DEVIATIONS(peers.REVOKED, peers.NO_ANSWER)(list_deviations.lists_without_status)


@DEVIATIONS("zal_is_fetched_when_told", "newest_address_is_used", warns=["zal_is_fetched_daily"])
def zal_never_fetched(gateway: Dvp) -> None:
    """The ZAL that the PGO was installed with is never replaced (UCI-ZAL.1, UCI-ZAL.2)."""
    conformant = gateway.lists.fetch
    gateway.lists.fetch = lambda which: None if which == "zal" else conformant(which)


@DEVIATIONS("newest_address_is_used")
def addresses_kept_for_days(gateway: Dvp) -> None:
    """The addresses of care providers are kept when another ZAL comes (UCI-ZAL.2)."""
    conformant, first = gateway.take_lists, tuple(gateway.sources.values())
    gateway.take_lists = lambda _sources, whitelist: conformant(first, whitelist)


@DEVIATIONS("zal_is_fetched_over_mutual_tls")
def zal_without_certificate(gateway: Dvp) -> None:
    """The PGO asks for the ZAL without showing its certificate (UCI-ZAL.1)."""
    conformant = gateway.lists.request
    list_deviations.lists_without_certificate(gateway)
    bare = gateway.lists.request
    gateway.lists.request = lambda which: bare(which) if which == "zal" else conformant(which)


@DEVIATIONS(warns=["zal_is_fetched_daily"])
def zal_every_other_day(gateway: Dvp) -> None:
    """The ZAL is fetched every other day (UCI-ZAL.4)."""
    conformant = gateway.lists.is_due
    gateway.lists.is_due = lambda which: which != "zal" and conformant(which)


@DEVIATIONS(warns=["failure_to_fetch_is_survived"])
def no_alarm(gateway: Dvp) -> None:
    """Nobody is told when a list cannot be fetched (UCI-ZAL.3)."""
    gateway.lists.tell = lambda *_: None


@DEVIATIONS("bad_zal_is_not_used")
def any_zal_used(gateway: Dvp) -> None:
    """A ZAL is used that can be read, whether it is valid or not (APP.19)."""
    schema, rules = gateway.lists.check_schema, gateway.lists.check_rules
    gateway.lists.check_schema = lambda kind, body: None if kind is lists.Zal else schema(kind, body)
    gateway.lists.check_rules = lambda content: None if isinstance(content, lists.Zal) else rules(content)
