@role:dvza
Feature: Authorization requests

  What the authorization endpoint accepts, what it refuses, and where it sends the browser.

  @RFC6749.3.1.2
  Rule: The query of a redirect URI is kept

    @id:redirect-uri-query
    Scenario: A redirect URI with a query comes back with it
      Een redirect URI met een query komt daarmee terug.

      When the PGO sends Roos to the gateway with a redirect URI that has a query
      And Roos logs in
      And Roos gives consent
      Then the gateway sends Roos back to the PGO with a code
      And the query of the redirect URI is kept

  @RFC6819.4.4.1.8b
  Rule: The state comes back as it was

    @id:odd-state
    Scenario: A long state of reserved characters comes back unchanged
      Een lange state met gereserveerde tekens komt ongewijzigd terug.

      When the PGO sends Roos to the gateway with a state of reserved characters
      And Roos logs in
      And Roos gives consent
      Then the state comes back unchanged

    @id:foreign-state
    Scenario: A state of other alphabets is never changed
      Een state in andere schriften wordt nooit veranderd.

      When the PGO sends Roos to the gateway with a state of other alphabets
      And Roos goes on as far as she is led
      Then a state of other alphabets comes back unchanged, or is refused

  @RFC6749.3.1a
  Rule: Unknown parameters are ignored

    @id:unknown-parameters
    Scenario: Parameters that nobody knows change nothing
      Onbekende parameters veranderen niets.

      When the PGO sends Roos to the gateway with parameters that nobody knows
      Then the gateway ignores the parameters it does not know

  @UCI-V.step.3
  Rule: Every collection has a session of its own

    @id:two-tabs
    Scenario: Two tabs of one browser do not mix
      Twee tabbladen van een browser raken niet verward.

      Given Roos has two collections in two tabs of one browser
      When she finishes the second tab
      And she finishes the first tab
      Then both collections come back with their own state

    @id:two-providers @needs:offers=3
    Scenario: Two tabs for two care providers do not mix
      Twee tabbladen voor twee zorgaanbieders raken niet verward.

      Given Roos has collections at two care providers in two tabs of one browser
      When she logs in in the second tab and then in the first
      Then each tab names its own care provider

    @id:two-pgos @needs:node=other
    Scenario: Two tabs for two PGOs do not mix
      Twee tabbladen voor twee PGO's raken niet verward.

      Given Roos has collections for two PGOs in two tabs of one browser
      When she finishes the second tab
      And she finishes the first tab
      Then each PGO gets its own answer

    @id:session-cookies
    Scenario: The session cookies are protected
      De sessiecookies zijn beschermd.

      Given the PGO holds a code for Roos
      Then the cookies of the session are protected

  @REL.2
  Rule: Every collection has a login of its own

    @id:login-again
    Scenario: A second collection in the same browser asks for a login
      Een tweede verzameling in dezelfde browser vraagt opnieuw om inloggen.

      Given Roos has come back to the PGO with a code
      When Roos begins a second collection in the same browser
      Then the gateway asks Roos to log in again

  @UCI-V.exc.1
  Rule: A request of an unknown client is refused without a redirect

    @id:unknown-client
    Scenario Outline: A client id that is <case> is refused on a page
      Een onbekende client wordt geweigerd op een pagina, zonder redirect.

      When the PGO sends Roos to the gateway with "client_id" set to "<client id>"
      Then the unknown client is refused on a page

      Examples:
        | case           | client id            |
        | on no list     | unknown.harness.test |
        | empty          |                      |
        | almost right   | {client_id}.test     |

    @id:no-client
    Scenario: A request without a client id is refused on a page
      Een verzoek zonder client_id wordt geweigerd op een pagina.

      When the PGO sends Roos to the gateway without "client_id"
      Then the unknown client is refused on a page

    @id:no-redirect-uri
    Scenario: A request without a redirect URI is refused on a page
      Een verzoek zonder redirect_uri wordt geweigerd op een pagina.

      When the PGO sends Roos to the gateway without "redirect_uri"
      Then the missing redirect URI is refused on a page

    @id:no-state
    Scenario: A request without a state is refused, the person first
      Een verzoek zonder state wordt geweigerd, de persoon hoort het eerst.

      When the PGO sends Roos to the gateway without "state"
      Then the missing state is refused, the person first

    @id:empty-state
    Scenario: A request with an empty state is refused, the person first
      Een verzoek met een lege state wordt geweigerd, de persoon hoort het eerst.

      When the PGO sends Roos to the gateway with "state" set to ""
      Then the missing state is refused, the person first

  @OVK.2.6
  Rule: A ZA gateway is no PGO

    @id:own-node
    Scenario: The node of the gateway itself is refused as a client
      De node van de gateway zelf wordt als client geweigerd.

      When the gateway's own node sends Roos to the gateway
      Then the gateway does not take itself for a PGO

  @RFC6749.10.14
  Rule: What the request says is text

    @id:markup-in-request
    Scenario Outline: Markup in the <parameter> does no harm
      Opmaak in een parameter doet geen kwaad.

      When the PGO sends Roos to the gateway with markup in "<parameter>"
      Then the markup in the request does no harm

      Examples:
        | parameter     |
        | client_id     |
        | redirect_uri  |
        | response_type |
        | scope         |
        | state         |

    @id:line-end-in-state
    Scenario: A line end in the state ends no header
      Een regeleinde in de state beëindigt geen header.

      When the PGO sends Roos to the gateway with a line end in the state
      And Roos goes on as far as she is led
      Then no header of the answer comes from the state

  @APP.15b
  Rule: Nobody is sent to an address that is no full https address

    @id:unsafe-redirect-uri
    Scenario Outline: A redirect URI with <flaw> is not followed
      Een onveilige redirect URI wordt niet gevolgd.

      When the PGO sends Roos to the gateway with the redirect URI "<address>"
      Then the gateway does not send anybody to the unsafe address

      Examples:
        | flaw                | address                        |
        | http                | http://{host}{path}            |
        | a relative path     | {path}                         |
        | no scheme           | //{host}{path}                 |
        | no host             | https:{path}                   |
        | a script            | javascript:alert(1)            |
        | data                | data:text/html,hello           |
        | a fragment          | {redirect_uri}#fragment        |
        | user information    | https://{host}@evil.test/cb    |

  @RFC6749.3.1.2.2
  Rule: Nobody is sent to a host that is not the client's

    @id:foreign-redirect-uri
    Scenario Outline: A redirect URI on <host> is refused
      Een redirect URI op een andere host wordt geweigerd.

      When the PGO sends Roos to the gateway with the redirect URI "<address>"
      Then the gateway does not send anybody to the other host

      Examples:
        | host                     | address                            |
        | another host             | https://evil.test/cb               |
        | a host that starts alike | https://{host}.evil.test{path}     |
        | a host that ends alike   | https://evil-{host}{path}          |
        | a host behind a slash    | https://evil.test/{host}{path}     |
        | a host behind a backslash | https://evil.test\\@{host}{path} |
        | a host behind its port   | https://{host}:443@evil.test{path} |
        | a host with an encoded dot | https://{host}%2eevil.test{path} |
        | a host before an encoded slash | https://{host}%2f.evil.test{path} |
        | a host before an encoded at sign | https://{host}%40evil.test{path} |
        | a host of other letters  | https://{host}。evil.test{path} |
        | another listed host      | https://{other_host}/cb            |

    @id:odd-redirect-uri
    Scenario Outline: A redirect URI with <oddity> is followed to the letter or not at all
      Een vreemd geschreven redirect URI wordt letterlijk gevolgd, of niet.

      When the PGO sends Roos to the gateway with the redirect URI "<address>"
      And Roos goes on as far as she is led
      Then an answer goes to the address that was given, or nowhere

      Examples:
        | oddity                 | address                              |
        | another port           | https://{host}:8443{path}            |
        | a dot segment          | https://{host}{path}/../elsewhere    |
        | an encoded dot segment | https://{host}{path}/%2e%2e/elsewhere |
        | an encoded slash       | https://{host}{path}%2felsewhere     |
        | two slashes            | https://{host}//evil.test/cb         |

    @id:two-redirect-uris
    Scenario: Of two redirect URIs the foreign one is not followed
      Van twee redirect URI's wordt de vreemde niet gevolgd.

      When the PGO sends Roos to the gateway with its own redirect URI and "https://evil.test/cb"
      Then the gateway does not send anybody to the other host

  @RFC6749.3.1.1 @APP.6
  Rule: Only the authorization code grant is served

    @id:response-type
    Scenario Outline: The response type <response type> is refused
      Een ander response_type wordt geweigerd.

      When the PGO sends Roos to the gateway with "response_type" set to "<response type>"
      Then the response type is refused, the person first

      Examples:
        | response type |
        | token         |
        | id_token      |
        | code token    |

    @id:no-response-type
    Scenario: A request without a response type is refused
      Een verzoek zonder response_type wordt geweigerd.

      When the PGO sends Roos to the gateway without "response_type"
      Then the response type is refused, the person first

  @APP.9
  Rule: A request is for exactly one data service that is offered there

    @id:scope
    Scenario Outline: A scope that is <case> is refused
      Een onjuiste scope wordt geweigerd.

      When the PGO sends Roos to the gateway with "scope" set to "<scope>"
      Then the scope is refused, the person first

      Examples:
        | case           | scope           |
        | two services   | {scope} {scope:other} |
        | two with a comma | {scope},{scope:other} |
        | unknown        | no-such-service |
        | unknown in its own form | {scope:unknown} |
        | everything     | *               |
        | not offered    | {scope:other}   |
        | empty          |                 |

    @id:scope-of-a-pgo
    Scenario: The code by which a PGO knows the service is refused
      De code van de gegevensdienst aan PGO-kant wordt geweigerd.

      When the PGO sends Roos to the gateway with "scope" set to "{scope:pgo}"
      Then the code of the other side is refused as a scope

    @id:no-scope
    Scenario: A request without a scope is refused
      Een verzoek zonder scope wordt geweigerd.

      When the PGO sends Roos to the gateway without "scope"
      Then the scope is refused, the person first

  @RFC6749.3.1b
  Rule: No parameter stands more than once

    @id:repeated-parameter
    Scenario Outline: A request with the <parameter> given twice is refused
      Een verzoek met een dubbele parameter wordt geweigerd.

      When the PGO sends Roos to the gateway with "<parameter>" given twice
      Then the repeated parameter is refused

      Examples:
        | parameter     |
        | scope         |
        | response_type |
        | state         |
        | client_id     |
        | redirect_uri  |

    @id:two-values
    Scenario Outline: A request with two different values of <parameter> is refused
      Een verzoek met twee verschillende waarden van een parameter wordt geweigerd.

      When the PGO sends Roos to the gateway with "<parameter>" given as it is and as "<other>"
      Then the repeated parameter is refused

      Examples:
        | parameter     | other         |
        | scope         | {scope:other} |
        | response_type | token         |
        | state         | another       |
