@role:dvza
Feature: Codes and tokens

  What a code is worth, to whom, and once; and what a token looks like.

  @APP.11a @APP.11b @RFC4122.a @RFC4122.c
  Rule: Codes and tokens are version 4 UUIDs

    @id:credential-form @order:late
    Scenario: Codes and tokens of a sample are version 4 UUIDs, each of them once
      Codes en tokens zijn UUID's van versie 4, elk een keer uitgegeven: alle van deze run, en zo nodig meer.

      Given the PGO has obtained a sample of codes and tokens
      Then every code is a version 4 UUID
      And every token is a version 4 UUID
      And no code and no token is issued twice
      And the codes and tokens look random

  @APP.7 @APP.10 @RFC6749.5.1a @RFC6749.5.1b @RFC6749.3.3a
  Rule: The token response has its right members and no others

    @id:token-response
    Scenario: The token response says what the token is, and how long
      Het tokenantwoord zegt wat het token is, en hoe lang.

      Given the PGO holds a token for Roos
      Then the token is a bearer token
      And the token's lifetime is stated rightly
      And there is no refresh token
      And the token's scope is the one that was asked for
      And the token response is not to be stored

  @APP.12b
  Rule: A code is offered once

    @id:used-code
    Scenario: A code that was redeemed is refused the second time
      Een code die al is ingewisseld, wordt geweigerd.

      Given the PGO holds a code for Roos
      And the PGO has redeemed the code
      When the PGO redeems the same code again
      Then the used code is refused

    @id:failed-offer
    Scenario: A code that was offered in vain is used up
      Een code die vergeefs is aangeboden, is verbruikt.

      Given the PGO holds a code for Roos
      And the PGO has offered the code with another redirect URI
      When the PGO redeems the code after all
      Then the code is used up by the failed offer

    @id:offer-of-another @needs:node=other
    Scenario: A code that another client offered is used up
      Een code die een andere client heeft aangeboden, is verbruikt.

      Given the PGO holds a code for Roos
      And Mallory has offered the code of Roos as herself
      When the PGO redeems the code after all
      Then the code is used up by the offer of another

    @id:code-race
    Scenario: Of twenty simultaneous offers of a code one yields a token
      Van twintig gelijktijdige aanbiedingen van een code levert er een een token op.

      Given the PGO holds a code for Roos
      When the PGO redeems the code twenty times at once
      Then only one of the simultaneous offers yields a token

  @RFC6749.4.1.2b
  Rule: A reused code takes its token with it

    @id:reuse-revokes
    Scenario: The token of a reused code is revoked
      Het token van een hergebruikte code wordt ingetrokken.

      Given the PGO has collected the data of Roos
      When the PGO redeems the same code again
      And the PGO asks for the data with the token of the reused code
      Then the token of the reused code is revoked

  @APP.13
  Rule: A code is for the client that it was made for

    @id:stolen-code @needs:node=other
    Scenario: Mallory cannot redeem the code of the PGO
      Mallory kan de code van het PGO niet inwisselen.

      Given the PGO holds a code for Roos
      When Mallory redeems the code of Roos as herself
      Then the code of another client is refused

    @id:impersonation @needs:node=other
    Scenario: Mallory cannot redeem the code of the PGO under its client id
      Mallory kan de code ook niet inwisselen onder de client_id van het PGO.

      Given the PGO holds a code for Roos
      When Mallory redeems the code of Roos under the client id of the PGO
      Then the code of another client is refused

  @RFC6749.3.2.1
  Rule: The certificate says who the client is

    @id:borrowed-client-id @needs:node=other
    Scenario: Mallory cannot redeem her own code under the client id of the PGO
      Mallory kan haar eigen code niet inwisselen onder de client_id van het PGO.

      When Mallory redeems her own code under the client id of the PGO
      Then the borrowed client id is refused

  @RFC6749.4.1.3b
  Rule: The redirect URI is the same in both requests

    @id:other-redirect-uri
    Scenario Outline: A token request with a redirect URI that has <difference> is refused
      Een tokenverzoek met een andere redirect URI wordt geweigerd.

      Given the PGO holds a code for Roos
      When the PGO redeems the code with "redirect_uri" set to "<address>"
      Then the other redirect URI is refused

      Examples:
        | difference       | address              |
        | another path     | {redirect_uri}/other |
        | a query          | {redirect_uri}?x=1   |
        | another case     | {redirect_uri:upper}       |
        | another host     | https://evil.test/cb |

    @id:absent-redirect-uri
    Scenario: A token request without a redirect URI is refused
      Een tokenverzoek zonder redirect URI wordt geweigerd.

      Given the PGO holds a code for Roos
      When the PGO redeems the code without "redirect_uri"
      Then the token request without a redirect URI is refused

  @UCI-V.exc.6
  Rule: A code that is none is refused

    @id:malformed-code
    Scenario Outline: A malformed code, <code>, is refused
      Een misvormde code wordt geweigerd.

      Given the PGO holds a code for Roos
      When the PGO redeems the malformed code "<code>"
      Then the malformed code is refused

      Examples:
        | code            |
        | not-a-uuid      |
        | ' OR '1'='1' -- |
        | ../../etc/hosts |

    @id:token-as-code
    Scenario: A token is no code
      Een token is geen code.

      Given the PGO holds a token for Roos
      When the PGO redeems its token as a code
      Then a token is no code

  @APP.6
  Rule: There is one grant type

    @id:grant-type
    Scenario Outline: The grant type <grant type> yields no token
      Een ander grant_type levert geen token op.

      Given the PGO holds a code for Roos
      When the PGO redeems the code with "grant_type" set to "<grant type>"
      Then the other grant type yields no token

      Examples:
        | grant type         |
        | password           |
        | client_credentials |
        | refresh_token      |
        | implicit           |

  @RFC6749.3.2a
  Rule: A token request is a form, by POST, with each parameter once

    @id:token-form
    Scenario Outline: <request> yields no token
      Een tokenverzoek in een andere vorm levert geen token op.

      Given the PGO holds a code for Roos
      When the PGO <request>
      Then the token request in another form yields no token

      Examples:
        | request                           |
        | redeems the code by GET           |
        | redeems the code as JSON          |
        | redeems the code given twice      |

    @id:token-unknown-parameter
    Scenario: A token request with an unknown parameter yields a token
      Een tokenverzoek met een onbekende parameter levert een token op.

      Given the PGO holds a code for Roos
      When the PGO redeems the code with "foo" set to "bar"
      Then the gateway ignores the token parameters it does not know

  @RFC6749.5.2a
  Rule: Errors of the token endpoint are JSON with the right code

    @id:token-error
    Scenario Outline: The error for a token request <flaw> has the right form
      De fout bij een onjuist tokenverzoek heeft de juiste vorm.

      Given the PGO holds a code for Roos
      When <event>
      Then the error "<error>" has the form of the token endpoint

      Examples:
        | flaw                       | event                                           | error                                     |
        | without a grant type       | the PGO redeems the code without "grant_type"     | invalid_request                           |
        | with another grant type    | the PGO redeems the code with "grant_type" set to "mac"  | unsupported_grant_type or invalid_request |
        | without a code             | the PGO redeems the code without "code"           | invalid_request                           |
        | with an unknown code       | the PGO redeems a code that nobody issued       | invalid_grant                             |

  @APP.14 @NIB.A.10.1.1c
  Rule: The back channel demands a client certificate

    @id:token-certificate
    Scenario: Without a client certificate nothing reaches the token endpoint
      Zonder clientcertificaat komt niets bij het tokenendpoint.

      Given the PGO holds a code for Roos
      When the PGO redeems the code without a client certificate
      Then the token endpoint refuses the connection without a certificate

    @id:token-forged-certificate
    Scenario Outline: A certificate that is <flaw> does not reach the token endpoint
      Een certificaat dat niemand vertrouwt, bereikt het tokenendpoint niet.

      Given the PGO holds a code for Roos
      When the PGO redeems the code with a certificate that is <flaw>
      Then the token endpoint refuses the certificate of an unknown authority

      Examples:
        | flaw                 |
        | self-signed          |
        | of another authority |

    @id:resource-forged-certificate
    Scenario Outline: A certificate that is <flaw> does not reach the resource endpoint
      Een certificaat dat niemand vertrouwt, bereikt het resource-endpoint niet.

      Given the PGO holds a token for Roos
      When the PGO asks for the data with a certificate that is <flaw>
      Then the resource endpoint refuses the certificate of an unknown authority

      Examples:
        | flaw                 |
        | self-signed          |
        | of another authority |

    @id:token-unlisted @needs:node=unlisted
    Scenario: A node on no list gets no token
      Een node die op geen lijst staat, krijgt geen token.

      Given the PGO holds a code for Roos
      When a node on no list redeems the code of Roos under the client id of the PGO
      Then the node on no list gets no token

    @id:resource-unlisted @needs:node=unlisted
    Scenario: A node on no list gets no data
      Een node die op geen lijst staat, krijgt geen gegevens.

      Given the PGO holds a token for Roos
      When a node on no list asks for the data with the token of Roos
      Then the node on no list gets no data

    @id:resource-certificate
    Scenario: Without a client certificate nothing reaches the resource endpoint
      Zonder clientcertificaat komt niets bij het resource-endpoint.

      Given the PGO holds a token for Roos
      When the PGO asks for the data without a client certificate
      Then the resource endpoint refuses the connection without a certificate
