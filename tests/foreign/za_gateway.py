"""A small conformant ZA gateway (DVZA): OAuth 2.0 authorization server and FHIR STU3 resource server in one.

Why it exists: a harness run only against gateways made of its own code shows that the two agree, not that either is
right. This one was written from the specification alone, on the standard library, and shares nothing with the harness,
so that both cannot have the same mistake. `python za_gateway.py CONFIG.json` prints {"front": port, "back": port} and
ends with its standard input. Lists and "source_down" are read at each use, "defects" plants faults, OCSP is not built.
CONFIG names hostname, certificate, key, client_ca, whitelist, clients, providers, persons and, if any, defects.
"""

import hashlib
import html
import json
import re
import ssl
import sys
import threading
import time
import uuid
import xml.etree.ElementTree as ET
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, unquote, urlencode

SECONDS, TIMEOUT, LIMIT = 900, 15, 5000  # of codes, tokens and sessions; of a silent peer; of values remembered
HTML, JSON, FHIR = "text/html; charset=utf-8", "application/json", "application/fhir+json"
HOST = re.compile(r"([a-z0-9][a-z0-9-]*\.)+[a-z0-9-]*[a-z0-9]")
HTTPS_URI = re.compile(r"(?i:https)://([A-Za-z0-9.-]+)(:[0-9]{1,5})?([/?][A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]*)?")
AUTHORIZATION = ("client_id", "redirect_uri", "response_type", "scope", "state")
TOKEN = ("grant_type", "code", "redirect_uri", "client_id")
CACHE = {"Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff"}
FRAME = {"X-Frame-Options": "DENY", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"}
PAGE = '<!DOCTYPE html>\n<html lang="nl"><head><title>Foreign</title></head><body>%s</body></html>'
LOGIN = """<form id="aanmelden" method="post"><input type="hidden" name="controle" value="{key}">
<p><label>Burgerservicenummer <input name="burgerservicenummer" autocomplete="off"></label></p><button name="actie"
value="inloggen">Inloggen</button> <button name="actie" value="annuleren">Annuleren</button></form>"""
CONSENT = """<form id="verklaring" method="post"><input type="hidden" name="controle" value="{key}"><p>Mag {provider}
uw gegevens van de dienst {name} nu, en alleen deze keer, verstrekken aan {organisation}, zodat ze in uw eigen
persoonlijke gezondheidsomgeving (PGO) komen te staan? Lees ook de <a href="https://www.medmij.nl/toestemming"
target="_blank">hele verklaring</a>.</p><button name="besluit" value="ja">Ja, dat mag</button>
<button name="besluit" value="nee">Nee, dat mag niet</button></form>"""
PATIENT = """{"resourceType": "Patient", "id": "p%(n)s", "active": true, "name": [{"text": "Testpersoon %(n)s"}],
"meta": {"profile": ["http://fhir.nl/fhir/StructureDefinition/nl-core-patient"]}}"""
OBSERVATION = """{"resourceType": "Observation", "id": "o%(n)s", "status": "final", "effectiveDateTime": "2018-05-01",
"meta": {"profile": ["http://nictiz.nl/fhir/StructureDefinition/zib-LaboratoryTestResult-Observation"]}, "category": [
{"coding": [{"system": "http://snomed.info/sct", "code": "49581000146104", "display": "Laboratory"}]}, {"coding": [
{"system": "http://snomed.info/sct", "code": "275711006", "display": "Chemistry"}]}], "code": {"coding": [{"system":
"http://loinc.org", "code": "14682-9", "display": "Creatinine"}]}, "valueQuantity": {"value": 78, "unit": "umol/l"},
"subject": {"reference": "%(base)s/Patient/p%(n)s", "display": "Testpersoon %(n)s"}}"""


def digest(secret):  # codes, tokens and session values are kept and compared as hashes only
    return hashlib.sha256(secret.encode()).hexdigest()


class Gateway:  # what both listeners share: the configuration, the lists, and what was issued and is still remembered
    def __init__(self, path):
        self.path, self.config = Path(path), json.loads(Path(path).read_text())
        self.defects, self.offers, self.lists = self.config.get("defects", ()), {}, {}
        self.lock, self.flows, self.codes, self.tokens = threading.Lock(), {}, {}, {}
        for p in self.config["providers"]:
            for g, name in p["services"].items():  # g is the code of a gegevensdienst
                self.offers[f"{p['path']}/{g}"] = SimpleNamespace(provider=p["display_name"], service=g, name=name)
        self.listed("whitelist"), self.listed("clients")  # a list that is wrong from the start stops us here

    def listed(self, key):
        """Host (and organisation) names on the newest version of a list; a wrong version never replaces a good one."""
        with suppress(OSError, ET.ParseError):
            root = ET.fromstring(content := Path(self.config[key]).read_bytes())
            entries = (e for e in root.iter() if e.tag.endswith(("}MedMijNode", "}OAuthclient")))
            rows = [[text.strip() for text in entry.itertext() if text.strip()] for entry in entries]
            right = b"<!DOCTYPE" not in content and root.tag.endswith(("}Whitelist", "}OAuthclientlist"))
            if right and all(row and HOST.fullmatch(row[0]) for row in rows):
                self.lists[key] = {row[0]: row[-1] for row in rows}
        return self.lists[key]

    def mint(self, store, flow, lifetime=SECONDS):
        """Issue a value that stands for this flow; when there are very many, the oldest is forgotten."""
        while digest(value := str(uuid.uuid4())) in store:
            pass
        store[digest(value)] = (flow, time.monotonic() + lifetime)
        if len(store) > LIMIT:
            del store[next(iter(store))]
        return value

    def advance(self, flow, sound, form):
        """What a form sent by the person leads to: an answer for the PGO, or nothing as long as the flow goes on."""
        if not flow.person:
            bsn = form.get("burgerservicenummer", [""])[0]
            person, year = self.config["persons"].get(bsn, {}), time.localtime().tm_year
            if not sound or form.get("actie") != ["inloggen"] or not re.fullmatch("[0-9]{9}", bsn):
                return {"error": "unauthorized_client"}
            if flow.offer.service in person.get("available", ()) and year - person.get("birth_year", year) > 16:
                flow.person = bsn  # who may still be 15 never comes here
                return {}
            text = "No such resources" if "wrong-description" in self.defects else "No such resources."
        elif sound and form.get("besluit") == ["ja"]:
            return {"code": self.mint(self.codes, flow)}
        else:
            text = "Authorization denied." if sound and form.get("besluit") == ["nee"] else "Authorization failed."
        return {"error": "access_denied", "error_description": text}

    def search(self, base, flow, place, query):
        """Read or search in the record of one person; its ids come from the place in the file, not from the BSN."""
        values = {"n": list(self.config["persons"]).index(flow.person) + 1, "base": base}
        texts = [PATIENT, OBSERVATION] if flow.offer.service in ("1", "7") else [PATIENT]
        kind, _, rest = place.partition("/")
        found = [r for r in (json.loads(text % values) for text in texts) if r["resourceType"] == kind]
        if kind == "Patient" and "bsn-in-data" in self.defects:
            found[0]["identifier"] = [{"system": "http://fhir.nl/fhir/NamingSystem/bsn", "value": flow.person}]
        if rest and place != "Observation/$lastn":
            return next((resource for resource in found if resource["id"] == rest), None)
        asked = [(n, v) for n, given in query.items() if n in ("_id", "status", "category", "code") for v in given]
        for name, wanted in asked:  # "system|code" or "code", as they stand in the JSON text
            keys = ['"' + w.replace("|", '", "code": "') + '"' for w in wanted.split(",")]
            found = [r for r in found if any(key in json.dumps(r.get(name.strip("_"), "")) for key in keys)]
        link = {"relation": "self", "url": f"{base}/{place}?{urlencode(asked)}".removesuffix("?")}
        entries = [{"fullUrl": f"{base}/{kind}/{r['id']}", "resource": r} for r in found]
        bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(found), "link": [link]}
        return bundle | ({"entry": entries} if entries else {})


class Handler(BaseHTTPRequestHandler):
    protocol_version, default_request_version, disable_nagle_algorithm = "HTTP/1.1", "HTTP/1.1", True

    def handle(self):
        peer = self.connection.getpeercert() or {}
        names = [name.lower() for kind, name in peer.get("subjectAltName", ()) if kind == "DNS"]
        self.names = [name for name in names if name in self.server.gateway.listed("whitelist")]
        if self.names or not self.server.mutual:
            super().handle()

    def dispatch(self):
        length = ",".join(self.headers.get_all("Content-Length", ["0"]))
        if "Transfer-Encoding" in self.headers or not re.fullmatch("[0-9]{1,5}", length):
            return self.send_error(411 if "Transfer-Encoding" in self.headers else 413)
        body, gateway = self.rfile.read(int(length)).decode(errors="replace"), self.server.gateway
        path, _, query = self.path.partition("?")
        part = re.fullmatch("(.+?)/(authorize|token|fhir|[0-9a-f-]{36})(/.*)?", path) or ["", "", "", None]
        back, place, offer = self.server.mutual, part[3], gateway.offers.get(part[1])
        if part[1] == "/sessie" and not back and not place:
            return self.session(gateway, part[2], body)
        if offer and part[2] == "authorize" and not back and not place:
            return self.authorize(gateway, offer, query)
        if offer and part[2] == "token" and back and not place:
            return self.token(gateway, offer, body)
        if offer and part[2] == "fhir" and back:
            base = f"https://{gateway.config['hostname']}:8443{part[1]}/fhir"
            return self.fhir(gateway, offer, base, unquote(place or "")[1:], parse_qs(query, True))
        return self.refuse(404, "er is niets op dit adres")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = dispatch  # noqa: N815

    def reply(self, status, kind=HTML, content="", **headers):
        content = (content if isinstance(content, str) else json.dumps(content)).encode()
        own = {"Content-Type": kind, "Content-Length": str(len(content))}
        own |= {"Connection": "close"} if self.close_connection else {}
        self.send_response(status)
        for name, value in (CACHE | FRAME | own | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else content)

    def refuse(self, status, cause, code="invalid", **headers):
        """Say no in the language of the place: a page, an OAuth error or a FHIR OperationOutcome."""
        if not self.server.mutual:
            return self.reply(status, HTML, PAGE % html.escape(f"Dit gaat niet (invalid_request): {cause}"), **headers)
        if getattr(self, "path", "").partition("?")[0].endswith("/token"):
            return self.reply(status, JSON, {"error": "invalid_request" if code == "invalid" else code}, **headers)
        issue = {"severity": "error", "code": "not-found" if status == 404 else code, "diagnostics": cause}
        return self.reply(status, FHIR, {"resourceType": "OperationOutcome", "issue": [issue]}, **headers)

    def send_error(self, code, message=None, explain=None):  # also called by the base class
        self.close_connection = True
        self.refuse(code, message or self.responses[code][0])

    def log_message(self, *_):
        """Log no request lines: there are codes and states in them."""

    def authorize(self, gateway, offer, query):
        asked = parse_qs(query, True, errors="surrogateescape")  # so that a state of any bytes comes back as it was
        client, uri, kind, scope, state = (asked.get(name, [""])[0] for name in AUTHORIZATION)
        organisation = gateway.listed("clients").get(client) if client in gateway.listed("whitelist") else None
        to = HTTPS_URI.fullmatch(uri)
        own = to and (to[1].lower() == client or "unlisted-redirect" in gateway.defects)
        for wrong, cause in (
            (not organisation, "de afzender (client_id) is geen deelnemer van MedMij"),
            (not own, "redirect_uri is geen volledig https-adres van de afzender"),
            (kind != "code", "er is om iets anders dan een code gevraagd (response_type)"),
            (scope != offer.service, "er is niet om precies deze gegevensdienst gevraagd (scope)"),
            (not state, "het kenmerk van de aanvraag (state) ontbreekt"),
            (any(len(asked.get(name, ())) > 1 for name in AUTHORIZATION), "een gegeven staat er dubbel in"),
        ):
            if wrong:
                return self.refuse(400, cause)
        flow = SimpleNamespace(offer=offer, client=client, organisation=organisation, uri=uri, state=state, person="")
        flow.cookie, flow.key, flow.used, flow.reused = uuid.uuid4().hex, uuid.uuid4().hex, False, False
        with gateway.lock:
            number = gateway.mint(gateway.flows, flow)
        cookie = f"za_{number}={flow.cookie}; Path=/sessie/{number}; Secure; HttpOnly; SameSite=Lax"
        return self.reply(303, Location=f"/sessie/{number}", Set_Cookie=cookie)

    def session(self, gateway, number, body):
        """Login page, then consent page, at one address; a form sent is used once and moves the flow on or ends it."""
        (flow, expires), form = gateway.flows.get(digest(number), (None, 0)), parse_qs(body, True)
        cookies = re.split("; *", "; ".join(self.headers.get_all("Cookie", [])))
        if not flow or digest(f"za_{number}={flow.cookie}") not in map(digest, cookies):
            return self.refuse(400, "deze sessie is er niet of niet meer; begin opnieuw in uw PGO")
        if self.command != "POST" or (flow.person and "actie" in form):  # the latter: a double click at the login
            values = {name: html.escape(str(value)) for name, value in (vars(flow.offer) | vars(flow)).items()}
            return self.reply(200, HTML, PAGE % (CONSENT if flow.person else LOGIN).format(**values))
        with gateway.lock:
            sound = digest(number) in gateway.flows and time.monotonic() < expires
            sound = sound and [digest(key) for key in form.get("controle", ())] == [digest(flow.key)]
            flow.key, answer = uuid.uuid4().hex, gateway.advance(flow, sound, form)
            if answer:
                gateway.flows.pop(digest(number), None)
        query = urlencode(answer | {"state": flow.state}, errors="surrogateescape")
        back = flow.uri + ("&" if "?" in flow.uri else "?") + query
        return self.reply(302 if "error" in answer else 303, Location=back if answer else f"/sessie/{number}")

    def token(self, gateway, offer, body):
        """Exchange a code. Its own client uses it up by offering it, whatever comes of that; another client cannot."""
        if self.command != "POST":
            return self.refuse(405, "use POST", Allow="POST")
        if self.headers.get_content_type() != "application/x-www-form-urlencoded":
            return self.refuse(400, "send a form")
        form, life = parse_qs(body, True), 3600 if "long-token" in gateway.defects else SECONDS
        grant_type, code, uri, client = (form.get(name, [""])[0] for name in TOKEN)
        with gateway.lock:
            flow, expires = None, 0
            for value in form.get("code", ()):
                mine, until = gateway.codes.get(digest(value), (None, 0))
                if mine and mine.client in self.names:
                    mine.reused, mine.used = mine.used and "code-reusable" not in gateway.defects, True
                    flow, expires = mine, until
            checks = (
                (any(len(form.get(name, ())) > 1 for name in TOKEN), "invalid_request"),
                (client and client not in self.names, "invalid_client"),
                (not (grant_type and code and uri), "invalid_request"),
                (grant_type != "authorization_code", "unsupported_grant_type"),
                (not flow or flow.reused or time.monotonic() >= expires or flow.offer is not offer, "invalid_grant"),
                (flow and (uri != flow.uri or client not in ("", flow.client)), "invalid_grant"),
            )
            error = next((error for wrong, error in checks if wrong), "")
            token = "" if error else gateway.mint(gateway.tokens, flow, life)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": life, "scope": offer.service}
        return self.refuse(400, error, error) if error else self.reply(200, JSON, answer)

    def fhir(self, gateway, offer, base, place, query):
        headers = self.headers.get_all("Authorization", [])
        scheme, _, token = headers[0].partition(" ") if headers else ("", "", "")
        twice, bearer = len(headers) > 1 or (headers and "access_token" in query), scheme.lower() == "bearer"
        flow, expires = gateway.tokens.get(digest(token.strip()), (None, 0))
        sound = flow and not flow.reused and time.monotonic() < expires  # reused: its code was offered again
        if twice or not bearer or not sound or flow.offer is not offer or flow.client not in self.names:
            error = ', error="invalid_request"' if twice else ', error="invalid_token"' if bearer else ""
            challenge = f'Bearer realm="medmij"{error}'
            return self.refuse(400 if twice else 401, "no access", "suppressed", WWW_Authenticate=challenge)
        if self.command != "GET":
            return self.refuse(405, "data can only be read", "not-supported", Allow="GET")
        with suppress(OSError, ValueError):
            gateway.config["source_down"] = json.loads(gateway.path.read_text()).get("source_down")
        if gateway.config.get("source_down") or gateway.config["persons"][flow.person].get("source_down"):
            return self.refuse(503, "the system of the care provider does not answer", "incomplete")
        content = gateway.search(base, flow, place, query)
        return self.reply(200, FHIR, content) if content else self.refuse(404, "there is no such resource")


class Listener(ThreadingHTTPServer):  # HTTPS, with the handshakes in the threads of their connections
    request_queue_size = 128

    def __init__(self, gateway, mutual):
        super().__init__(("127.0.0.1", 0), Handler)
        self.gateway, self.mutual, self.tls = gateway, mutual, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self.tls.options |= ssl.OP_NO_RENEGOTIATION  # the order of the ciphers is ours by default
        self.tls.set_ciphers("ECDHE+AESGCM")
        self.tls.set_ecdh_curve("prime256v1")
        self.tls.load_cert_chain(gateway.config["certificate"], gateway.config["key"])
        self.tls.load_verify_locations(gateway.config["client_ca"])
        self.tls.verify_mode = ssl.CERT_REQUIRED if mutual else ssl.CERT_NONE

    def process_request_thread(self, request, client_address):
        with suppress(OSError):  # the peer left, was too slow, or is none that we talk to
            request.settimeout(TIMEOUT)
            with request, self.tls.wrap_socket(request, server_side=True) as connection:
                self.finish_request(connection, client_address)
                connection.settimeout(2)
                connection.unwrap()


if __name__ == "__main__":
    shared = Gateway(sys.argv[1])
    listeners = {"front": Listener(shared, mutual=False), "back": Listener(shared, mutual=True)}
    for listener in listeners.values():
        threading.Thread(target=listener.serve_forever, daemon=True).start()
    print(json.dumps({name: listener.server_port for name, listener in listeners.items()}), flush=True)
    sys.stdin.read()
