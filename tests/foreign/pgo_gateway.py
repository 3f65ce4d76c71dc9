"""A small conformant PGO gateway (DVP): what a person chooses is collected at the ZA gateway that the ZAL names for it.

Why it exists: as with the ZA gateway beside it, judge and example must not share their mistakes. It was written from the
specification of UCI Verzamelen alone, on the standard library. `python pgo_gateway.py CONFIG.json` prints {"front": port}
and ends with its standard input; with `dossier`, `log` or `clock` added it does what the vendor's hook of that name asks.
CONFIG names hostname, certificate, key, ca, zal, whitelist, connect, database, clock and defects. Lists are read
at each use, "defects" plants faults. A person is known by a cookie alone: logging in to the PGO and OCSP are not built.
"""

import hashlib
import html
import http.client
import json
import re
import secrets
import socket
import sqlite3
import ssl
import sys
import threading
import time
import xml.etree.ElementTree as ET
from contextlib import closing, suppress
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlencode, urlsplit

SECONDS, TIMEOUT, LIMIT, PAGES = 900, 10, 5_000_000, 50  # of tokens; of a silent peer; bytes of an answer; of one search
COOKIE = "__Host-pgo"
# The service codes that this PGO supports, and what it asks for; whose data it is, the token tells.
LAB = "Observation/$lastn?category=http%3A%2F%2Fsnomed.info%2Fsct%7C275711006"
QUERIES = {"1": ("Patient", "AllergyIntolerance", "Condition"), "7": ("Patient", LAB)}
NAMES = {"1": "Basisgegevens Zorg", "7": "Laboratoriumresultaten"}
TABLES = (
    "collection (id PRIMARY KEY, person, state UNIQUE, zorgaanbieder, gegevensdienst, outcome)",
    "log (time, event, person, zorgaanbieder, gegevensdienst)",
    "dossier (person, content, medmij, obtained, consent_profile)",  # a row for each collection, whole or not at all
)
DONE, NOT_DONE = "Uw gegevens zijn opgehaald", "Er zijn geen gegevens opgehaald"
# What a person is told; by the number of the exception of UCI Verzamelen where there is one.
TEXTS = {
    "1": "De zorgaanbieder kon ons verzoek niet in behandeling nemen.",
    "2": "Het is niet gelukt om u te laten inloggen, of u hebt het inloggen afgebroken.",
    "3": "Deze zorgaanbieder heeft op dit moment niets voor u klaarstaan van deze soort gegevens.",
    "4": "U hebt geen toestemming gegeven. Dat is doorgegeven, en er gebeurt verder niets.",
    "5": "Het is niet duidelijk geworden of u toestemming geeft.",
    "6": "U gaf toestemming, maar de zorgaanbieder herkende het bewijs daarvan niet, of het was verlopen.",
    "7": "U gaf toestemming, maar onze toegang werd geweigerd toen wij de gegevens kwamen halen.",
    "8": "U gaf toestemming, maar de computer van de zorgaanbieder is nu niet bereikbaar. Probeer het later nog eens.",
    "strange": "U bent hier gekomen met een antwoord dat niet hoort bij een verzoek dat u in deze browser hebt gedaan.",
    "elsewhere": "De zorgaanbieder gaf een reden op die wij niet kennen.",
    "unusable": "Wij konden het antwoord van de zorgaanbieder niet gebruiken.",
    "late": "Het ophalen duurde te lang. Begin opnieuw.",
    "nowhere": "Wat u zoekt is er niet.",
}
ERRORS = {"invalid_request": "1", "unauthorized_client": "2"}
DENIED = {"No such resources.": "3", "Authorization denied.": "4", "Authorization failed.": "5"}
HEADERS = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
HEADERS |= {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "X-Content-Type-Options": "nosniff"}
PAGE = '<!DOCTYPE html>\n<html lang="nl"><head><title>PGO</title></head><body><h1>%s</h1>%s</body></html>'


class Stopped(Exception):  # noqa: N818
    """A collection that ended without data; says which of the texts the person gets."""


def digest(secret):  # states and session values are kept and compared as hashes only
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def now():  # of this PGO's place, which is Bonaire
    return datetime.now(timezone(timedelta(hours=-4))).isoformat()


class Gateway:
    def __init__(self, path):
        self.config = json.loads(Path(path).read_text())
        self.defects, self.lists, self.redirect_uri = self.config["defects"], {}, f"https://{self.config['hostname']}/cb"
        self.tls = ssl.create_default_context(cafile=self.config["ca"])  # at least TLS 1.2, by default
        self.tls.set_ciphers("ECDHE+AESGCM")
        self.tls.set_ecdh_curve("prime256v1")
        self.tls.load_cert_chain(self.config["certificate"], self.config["key"])
        for table in TABLES:
            self.sql(f"CREATE TABLE IF NOT EXISTS {table}")

    def sql(self, statement, *values):
        """Carry out one statement, in a transaction of its own. Gives the rows, or the number of rows changed."""
        with closing(sqlite3.connect(self.config["database"], timeout=TIMEOUT)) as database, database:
            database.row_factory = sqlite3.Row
            cursor = database.execute(statement, values)
            return cursor.fetchall() if cursor.description else cursor.rowcount

    def listed(self, name):
        """A list as a tree, its newest version; one that cannot be read never replaces one that could."""
        with suppress(OSError, ET.ParseError):
            content = Path(self.config[name]).read_bytes()
            if b"<!DOCTYPE" not in content:
                self.lists[name] = ET.fromstring(content)
        return self.lists[name]

    def offers(self):
        """What can be collected: (zorgaanbieder, gegevensdienst) -> its addresses, on nodes of the Whitelist alone."""
        nodes = {(n.text or "").strip() for n in self.listed("whitelist").iter() if not len(n) and n.tag.endswith("MedMijNode")}
        found = {}
        for provider in self.listed("zal").iterfind("{*}Zorgaanbieders/{*}Zorgaanbieder"):
            for each in provider.iterfind("{*}Gegevensdiensten/{*}Gegevensdienst"):
                name, code = provider.findtext("{*}Zorgaanbiedernaam"), each.findtext("{*}GegevensdienstId")
                urls = [each.findtext(f".//{{*}}{k}Endpointuri", "").strip() for k in ("Authorization", "Token", "Resource")]
                if code in QUERIES and {urlsplit(url).hostname for url in urls[1:]} <= nodes:
                    found[name, code] = SimpleNamespace(name=name, code=code, authorize=urls[0], token=urls[1], base=urls[2])
        return found

    def request(self, method, url, body=None, **headers):
        """One request to a ZA gateway, over mutual TLS; redirects are not followed, nothing is tried again."""
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 443
        if parts.scheme != "https" or (parts.username, parts.password) != (None, None):
            raise Stopped("unusable")
        address, _, number = self.config["connect"].get(f"{host}:{port}", f"{host}:{port}").rpartition(":")
        connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=self.tls)
        try:
            plain = socket.create_connection((address, int(number)), TIMEOUT)
            connection.sock = self.tls.wrap_socket(plain, server_hostname=host)
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            data = json.loads(answer.read(LIMIT))
        except (OSError, http.client.HTTPException, ValueError):
            raise Stopped("unusable") from None
        finally:
            connection.close()
        if answer.length or not isinstance(data, dict):  # there was more, or less than was promised
            raise Stopped("unusable")
        return answer.status, data

    def begin(self, person, offer):
        """Remember a request under a new state. Gives the address of the authorization request."""
        state = secrets.token_urlsafe(32)
        values = digest(person), digest(state), offer.name, offer.code
        self.sql("INSERT INTO collection VALUES (?, ?, ?, ?, ?, '')", secrets.token_hex(16), *values)
        asked = {"response_type": "code", "client_id": self.config["hostname"], "redirect_uri": self.redirect_uri}
        asked |= {"scope": offer.code, "state": state}
        return offer.authorize + ("&" if "?" in offer.authorize else "?") + urlencode(asked)

    def claim(self, person, state):
        """The collection that waits for this state in this browser. It waits no longer: who comes second gets nothing."""
        if "state-unchecked" in self.defects:
            rows = self.sql("SELECT * FROM collection WHERE person = ? ORDER BY rowid DESC LIMIT 1", digest(person))
            return rows[0] if rows else None
        mine, values = "state = ? AND person = ?", (digest(state), digest(person))
        taken = self.sql(f"UPDATE collection SET outcome = 'busy' WHERE outcome = '' AND {mine}", *values)
        return self.sql(f"SELECT * FROM collection WHERE {mine}", *values)[0] if taken else None

    def finish(self, collection, given):
        """Bring a collection to its end. Gives the name of its outcome."""
        try:
            resources = self.collect(collection, given)
        except Stopped as reason:
            return str(reason)
        except (KeyError, TypeError, ValueError, AttributeError):  # the answer is not built as it should be
            return "unusable"
        origin = True, now(), "expliciete toestemming"
        self.sql("INSERT INTO dossier VALUES (?, ?, ?, ?, ?)", collection["person"], json.dumps(resources), *origin)
        return "collected"

    def collect(self, collection, given):
        """From the return of the browser to the last resource. Gives the resources, all of them."""
        if any(len(given.get(name, ())) > 1 for name in ("code", "state", "error")):
            raise Stopped("unusable")
        error, text = (given.get(name, [""])[0] for name in ("error", "error_description"))
        if error:
            raise Stopped((DENIED.get(text) if error == "access_denied" else ERRORS.get(error)) or "elsewhere")
        offer = self.offers().get((collection["zorgaanbieder"], collection["gegevensdienst"]))
        if not given.get("code") or not offer:
            raise Stopped("unusable")
        self.sql("INSERT INTO log VALUES (?, 'consent', ?, ?, ?)", now(), collection["person"], offer.name, offer.code)
        asked = {"grant_type": "authorization_code", "code": given["code"][0], "redirect_uri": self.redirect_uri}
        form = urlencode(asked | {"client_id": self.config["hostname"]})
        sent, until = {"Content_Type": "application/x-www-form-urlencoded"}, self.time() + SECONDS
        status, said = self.request("POST", offer.token, form, **sent)
        if status != 200 and "code-twice" in self.defects:
            status, said = self.request("POST", offer.token, form, **sent)
        if status != 200:
            raise Stopped("6" if said.get("error") == "invalid_grant" else "unusable")
        if str(said["token_type"]).lower() != "bearer" or said.get("scope", offer.code) != offer.code:
            raise Stopped("unusable")
        until += min(0, int(said.get("expires_in", SECONDS)) - SECONDS)
        return [r for query in QUERIES[offer.code] for r in self.search(offer, query, said["access_token"], until)]

    def search(self, offer, query, token, until):
        """Every resource that a search finds, on all of its pages; the token goes to the address of the ZAL alone."""
        base, found = offer.base.rstrip("/"), []
        url = f"{base}/{query}"
        for _ in range(PAGES):
            if self.time() > until:
                raise Stopped("late")
            if not url.startswith((f"{base}/", f"{base}?")) and "token-anywhere" not in self.defects:
                raise Stopped("unusable")
            headers = {"Accept": "application/fhir+json", "Authorization": f"Bearer {token}"}
            if "token-in-query" in self.defects:
                url, headers = f"{url}{'&' if '?' in url else '?'}access_token={token}", {}
            status, answer = self.request("GET", url, **headers)
            bundle = answer if answer["resourceType"] == "Bundle" else {"entry": [{"resource": answer}]}
            resources = [entry["resource"] for entry in bundle.get("entry", ())]
            url = next((link["url"] for link in bundle.get("link", ()) if link["relation"] == "next"), "")
            issues = [i for r in resources if r["resourceType"] == "OperationOutcome" for i in r["issue"]]
            codes = {issue["code"] for issue in issues}
            if status != 200 or codes & {"suppressed", "incomplete"} or any(i["severity"] in ("error", "fatal") for i in issues):
                raise Stopped("7" if "suppressed" in codes else "8" if "incomplete" in codes else "unusable")
            found += [resource for resource in resources if resource["resourceType"] != "OperationOutcome"]
            if not url:
                return found
        raise Stopped("unusable")

    def time(self):
        """The clock by which tokens grow old, which a hook can move forward."""
        with suppress(OSError, ValueError):
            return time.time() + float(Path(self.config["clock"]).read_text())
        return time.time()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        gateway, (path, _, query) = self.server.gateway, self.path.partition("?")
        given = parse_qs(query, True, errors="replace", max_num_fields=50)
        known = re.findall(rf"(?:^|; *){COOKIE}=([A-Za-z0-9_-]+)", "; ".join(self.headers.get_all("Cookie", [])))
        self.person, self.fresh = (known[0], False) if known else (secrets.token_urlsafe(32), True)
        if path == "/":
            links = (f'<li><a href="/start?{html.escape(urlencode({"zorgaanbieder": n, "gegevensdienst": c}))}">'
                     f"{NAMES[c]} van {html.escape(n)}</a></li>" for n, c in gateway.offers())  # fmt: skip
            return self.reply(200, PAGE % ("Wat u kunt ophalen", f"<ul>{''.join(links)}</ul>"))
        if path == "/start":
            offer = gateway.offers().get(tuple(given.get(name, [""])[0] for name in ("zorgaanbieder", "gegevensdienst")))
            return self.reply(303, Location=gateway.begin(self.person, offer)) if offer else self.told(404, "nowhere")
        if path == "/cb":
            collection = gateway.claim(self.person, given.get("state", [""])[0])
            if not collection:
                return self.told(400, "strange")
            outcome = gateway.finish(collection, given)
            gateway.sql("UPDATE collection SET outcome = ? WHERE id = ?", outcome, collection["id"])
            return self.reply(303, Location=f"/uitkomst/{collection['id']}")  # away from the address with the code
        mine = "SELECT outcome FROM collection WHERE outcome NOT IN ('', 'busy') AND id = ? AND person = ?"
        rows = gateway.sql(mine, path.removeprefix("/uitkomst/"), digest(self.person))
        return self.told(200, rows[0]["outcome"]) if rows else self.told(404, "nowhere")

    def told(self, status, outcome):
        """The page that says what came of it; no word of it comes from elsewhere."""
        if outcome == "collected":
            return self.reply(status, PAGE % (DONE, "<p>Ze staan in uw dossier.</p>"))
        text = TEXTS["unusable" if "one-text" in self.server.gateway.defects else outcome]
        return self.reply(status, PAGE % (NOT_DONE, f'<p>{text}</p><p><a href="/">Opnieuw beginnen</a></p>'))

    def reply(self, status, content="", **headers):
        if self.fresh:
            headers["Set-Cookie"] = f"{COOKIE}={self.person}; Path=/; Secure; HttpOnly; SameSite=Lax"
        self.send_response(status)
        for name, value in (HEADERS | {"Content-Length": str(len(content.encode()))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, *_):
        """Log no request lines: there are codes and states in them."""


class Listener(ThreadingHTTPServer):  # HTTPS, with the handshakes in the threads of their connections
    request_queue_size = 128

    def __init__(self, gateway):
        super().__init__(("127.0.0.1", 0), Handler)
        self.gateway, self.tls = gateway, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(gateway.config["certificate"], gateway.config["key"])

    def process_request_thread(self, request, client_address):
        with suppress(OSError, ValueError):  # the peer left or was too slow
            request.settimeout(2 * TIMEOUT)
            with request, self.tls.wrap_socket(request, server_side=True) as connection:
                self.finish_request(connection, client_address)


def hook(gateway, name):
    """What the vendor's hooks ask: the dossier and the log as JSON, or a clock that runs ahead."""
    if name == "clock":
        return Path(gateway.config["clock"]).write_text(str(gateway.time() - time.time() + json.load(sys.stdin)["forward_s"]))
    rows = [dict(row) for row in gateway.sql(f"SELECT * FROM {'log' if name == 'log' else 'dossier'}")]
    return rows if name == "log" else [r | {"content": c, "medmij": True} for r in rows for c in json.loads(r["content"])]


if __name__ == "__main__":
    shared = Gateway(sys.argv[1])
    if sys.argv[2:]:
        print(json.dumps(hook(shared, sys.argv[2])))
    else:
        threading.Thread(target=(listener := Listener(shared)).serve_forever, daemon=True).start()
        print(json.dumps({"front": listener.server_port}), flush=True)
        sys.stdin.read()
