@role:dvza
Feature: FHIR requests

  The right token opens the right data, and nothing else does.

  @UCI-V.step.15
  Rule: A token serves one collection within its lifetime

    @id:token-again
    Scenario: A token may be used again within its lifetime
      Een token mag binnen zijn geldigheid opnieuw worden gebruikt.

      Given the PGO holds a token for Roos
      When the PGO asks for the data
      And the PGO asks once more
      Then the token works again within its lifetime

    @id:foreign-data @needs:person=available_2
    Scenario: Roos cannot read a resource of another person
      Roos kan geen gegevens van een ander lezen.

      Given somebody else has collected data with ids of his own
      And the PGO holds a token for Roos
      When the PGO asks for a resource of the other person
      Then Roos does not get the data of another person

    @id:two-persons @needs:person=available_2
    Scenario: Two persons at the same moment each get their own data
      Twee personen op hetzelfde moment krijgen ieder hun eigen gegevens.

      Given Roos and Rik have each collected alone
      When Roos and Rik collect at the same moment
      Then each person gets her own data

  @P&I.4 @P&I.7 @META.8
  Rule: What is offered is delivered

    @id:every-offer
    Scenario: Every offer of the target file delivers
      Elk aanbod van het doelbestand levert gegevens.

      Given the PGO has collected the data of Roos
      When the PGO collects the data of Roos from every offer
      Then every offer is served

  @APP.R3 @META.7
  Rule: A gateway is one host

    @id:one-host
    Scenario: One host serves the three endpoints
      De drie endpoints staan op een host.

      Given the PGO has collected the data of Roos
      Then one host serves all of the gateway

  @RFC6750.2.1b @RFC6750.2x
  Rule: The token travels in the Authorization header

    @id:scheme-case
    Scenario Outline: The scheme written <scheme> is understood
      Het schema mag in hoofd- of kleine letters.

      Given the PGO holds a token for Roos
      When the PGO asks for the data with the scheme written "<scheme>"
      Then the scheme's case does not matter

      Examples:
        | scheme |
        | bearer |
        | BEARER |

    @id:other-scheme
    Scenario Outline: A token that is brought as <scheme> is refused
      Een token onder een ander schema wordt geweigerd.

      Given the PGO holds a token for Roos
      When the PGO asks for the data with its token as "<scheme>"
      Then a scheme that is not Bearer opens nothing

      Examples:
        | scheme |
        | Basic  |
        | Token  |

    @id:token-in-form
    Scenario: A token in a form is refused
      Een token in een formulier wordt geweigerd.

      Given the PGO holds a token for Roos
      When the PGO asks for the data with the token in a form
      Then the token in the body is refused

    @id:token-in-address
    Scenario: A token in the address is refused
      Een token in het adres wordt geweigerd.

      Given the PGO holds a token for Roos
      When the PGO asks for the data with the token in the address
      Then the token in the address is refused

    @id:token-twice
    Scenario: A token in header and address is refused
      Een token in header en adres wordt geweigerd.

      Given the PGO holds a token for Roos
      When the PGO asks for the data with the token in header and address
      Then the token given twice is refused

  @UCI-V.exc.7 @RFC6750.3a
  Rule: What is no valid token opens nothing

    @id:no-token
    Scenario: A request without a token is refused
      Een verzoek zonder token wordt geweigerd.

      When the PGO asks for the data without a token
      Then the request without a token is refused
      And the refusal is a Bearer challenge
      And the challenge names the error "none"

    @id:unknown-token
    Scenario: A token that nobody issued is refused with a challenge
      Een token dat niemand heeft uitgegeven, wordt geweigerd.

      When the PGO asks for the data with a token that nobody issued
      Then the unknown token is refused
      And the refusal is a Bearer challenge
      And the challenge names the error "invalid_token"

    @id:stolen-token @needs:node=other
    Scenario: Mallory cannot use the token of the PGO
      Mallory kan het token van het PGO niet gebruiken.

      Given the PGO holds a token for Roos
      When Mallory asks for the data with the token of Roos
      Then the token of another client is refused

    @id:code-as-token
    Scenario: A code is no token
      Een code is geen token.

      Given the PGO holds a code for Roos
      When the PGO asks for the data with the code as token
      Then a code is no token

  @APP.9 @RFC6750.5.3f
  Rule: A token opens one data service of one care provider

    @id:other-service @needs:offers=2
    Scenario: A token does not open another data service
      Een token opent geen andere gegevensdienst.

      Given the PGO has collected the data of Roos
      When the PGO asks for another data service of the same care provider
      Then the token opens no other data service

    @id:other-provider @needs:offers=3
    Scenario: A token does not open another care provider
      Een token opent geen andere zorgaanbieder.

      Given the PGO has collected the data of Roos
      When the PGO asks for the same data service of another care provider
      Then the token opens no other care provider

  @REL.1
  Rule: Collecting is reading

    @id:write
    Scenario Outline: An attempt to write by <method> is refused
      Een poging om te schrijven wordt geweigerd.

      Given the PGO has collected the data of Roos
      When the PGO tries to "<method>" an observation
      Then the attempt to write is refused

      Examples:
        | method |
        | POST   |
        | PUT    |
        | PATCH  |
        | DELETE |
