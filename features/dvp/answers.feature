@role:dvp
Feature: What the PGO makes of the answers of the ZA gateway

  Right answers in an unusual form are accepted; wrong ones are not used.

  @RFC6749.4.1.2c
  Rule: What is unknown is ignored

    @id:unknown-members
    Scenario Outline: A ZA gateway that <event> is understood
      Onbekende parameters veranderen niets.

      When Roos collects while the ZA gateway <event>
      Then what the PGO does not know changes nothing

      Examples:
        | event                             |
        | sends parameters that nobody knows |
        | adds members that nobody knows    |

  @RFC4122.d
  Rule: Codes and tokens have no meaning for the PGO

    @id:opaque-values
    Scenario Outline: A ZA gateway that <event> gets it back unchanged
      Een code of token in een andere vorm wordt ongewijzigd gebruikt.

      When Roos collects while the ZA gateway <event>
      Then the unusual value is used as it is

      Examples:
        | event                           |
        | issues a code in upper case     |
        | issues a token that is no UUID  |

  @APP.7
  Rule: Tokens are bearer tokens

    @id:unusual-token-response
    Scenario Outline: A ZA gateway that <event> is conformant
      Een ongewoon maar juist tokenantwoord wordt geaccepteerd.

      When Roos collects while the ZA gateway <event>
      Then the unusual token response is accepted

      Examples:
        | event                                    |
        | issues a token with a type in lower case |
        | issues a token without a lifetime        |
        | issues a token without a scope           |
        | issues a refresh token as well           |

    @id:untyped-token
    Scenario: A token without a type is not used
      Een token zonder type wordt niet gebruikt.

      When Roos collects while the ZA gateway issues a token without a type
      Then the token without a type is not used

    @id:other-token-type
    Scenario: A token of another type is not used
      Een token van een ander type wordt niet gebruikt.

      When Roos collects while the ZA gateway issues a token of another type
      Then the token of another type is not used

  @APP.6
  Rule: The authorization code is the only grant

    @id:refresh-token
    Scenario: A refresh token that nobody asked for is not used
      Een refresh token waar niemand om vroeg wordt niet gebruikt.

      When Roos collects while the ZA gateway issues a refresh token as well, and soon does not accept the token
      Then no other grant is used

  @P&I.4
  Rule: A token serves the data service that was asked for

    @id:other-scope
    Scenario: A token for another scope is not used
      Een token voor een andere scope wordt niet gebruikt.

      When Roos collects while the ZA gateway issues a token for another scope
      Then the token for another scope is not used

  @RFC6750.5.3a
  Rule: A token goes to the address of the ZAL alone

    @id:token-stays
    Scenario Outline: A ZA gateway that <event> does not get the token out
      Het token gaat naar geen ander adres.

      When Roos collects while the ZA gateway <event>
      Then the token goes to nobody else

      Examples:
        | event                                        |
        | links the next page to a foreign host        |
        | redirects the FHIR request to a foreign host |

  @UCI-V.step.16
  Rule: All of an answer is fetched

    @id:pages
    Scenario: Every page of an answer is fetched
      Elke pagina van een antwoord wordt opgehaald.

      When Roos collects while the ZA gateway delivers in pages
      Then every page of the answer is fetched

    @id:empty-answer
    Scenario: A source that has nothing to deliver has not failed
      Een leeg antwoord is geen mislukking.

      When Roos collects while the ZA gateway has nothing in its bundle
      Then an empty answer is no failure

    @id:old-token @needs:hook=clock
    Scenario: A token that has lived its time is used no more
      Een token waarvan de geldigheid voorbij is, wordt niet meer gebruikt.

      Given the ZA gateway will deliver the data of Roos in pages, slowly
      When the token of Roos grows old between two pages
      Then the token is used no more after its lifetime

  @GRD.P1 @REL.3
  Rule: Every ZA gateway of the lists is served alike

    @id:unmet-gateway
    Scenario: A ZA gateway that the PGO never met works from the lists alone
      Een onbekende bron werkt op grond van de lijsten alleen.

      When Roos collects from the other ZA gateway
      Then a ZA gateway that the PGO never met works from the lists alone

  @APP.1
  Rule: An answer may come in its own way

    @id:unusual-answer
    Scenario Outline: A ZA gateway that <event> has answered
      Een juist antwoord in een ongewone vorm wordt begrepen.

      When Roos collects while the ZA gateway <event>
      Then the unusual form of the answer is understood

      Examples:
        | event                            |
        | answers in chunks                |
        | answers the FHIR request slowly  |

  @RFC6749.10.14
  Rule: What a token response says is looked at before it is used

    @id:odd-lifetime
    Scenario Outline: A ZA gateway that <event> does no harm
      Een vreemde geldigheidsduur laat het PGO niet struikelen.

      When Roos collects while the ZA gateway <event>
      Then an odd lifetime does no harm

      Examples:
        | event                                     |
        | issues a token with a lifetime in quotes  |
        | issues a token with a lifetime in words   |
        | issues a token with a lifetime below zero |
        | issues a token with a lifetime of ages    |
