@role:dvp
Feature: The exceptions of UCI Verzamelen, at the PGO

  One row for each exception of the framework that reaches the PGO: the collection ends, and the person is told in her own words.

  @UCI-V.exc.1p @UCI-V.exc.2p @UCI-V.exc.3p @UCI-V.exc.4p @UCI-V.exc.5p
  Rule: An exception that comes back through the browser ends the collection

    @id:told-exception
    Scenario Outline: Exception <number> is reported by a redirect
      Een uitzondering via de browser beëindigt de verzameling en de persoon hoort waarom.

      When Roos collects while the ZA gateway <event>
      Then exception <number> ends the collection and Roos is told

      Examples:
        | number | event                             |
        | 1      | reports exception 1 by a redirect |
        | 2      | reports exception 2               |
        | 3      | reports exception 3               |
        | 4      | reports exception 4               |
        | 5      | reports exception 5               |

  @UCI-V.exc.6p @UCI-V.exc.7p @UCI-V.exc.8p
  Rule: An exception of the back channel ends the collection

    @id:back-channel-exception
    Scenario Outline: Exception <number> comes when the ZA gateway <event>
      Een uitzondering in het achterkanaal beëindigt de verzameling en de persoon hoort waarom.

      When Roos collects while the ZA gateway <event>
      Then exception <number> ends the collection and Roos is told

      Examples:
        | event                                          | number |
        | does not accept the code                       | 6      |
        | does not accept the token                      | 7      |
        | cannot reach the source                        | 8      |
        | cannot reach the source and says so in a bundle | 8      |

    @id:partial-delivery
    Scenario: A source that fails after a first page has not delivered
      Wat maar deels is geleverd heet niet verzameld.

      When Roos collects while the ZA gateway delivers a first page and then cannot reach the source
      Then what came in part is not called complete

  @UCI-V.exc.1p @UC-V.exc.1
  Rule: A person who never came back can break off and start again

    @id:broken-off @needs:start=break_off
    Scenario: What Roos broke off is over, even when she is sent back later
      Wat Roos afbrak is voorbij, ook als zij later nog terugkomt.

      Given the ZA gateway has sent Roos back with a code
      When Roos breaks off, and then the ZA gateway sends her back
      Then what Roos broke off stays broken off

    @id:start-again
    Scenario: Roos starts again after an error page of the ZA gateway
      Roos begint opnieuw na een foutpagina van de bron.

      Given Roos came to an error page of the ZA gateway
      When Roos starts again in the same browser
      Then Roos can start again

  @UC-V.step.7
  Rule: Only a code entitles the PGO to ask

    @id:no-return
    Scenario: Nothing is asked while the ZA gateway keeps the browser
      Zonder terugkeer wordt er niets gevraagd.

      When Roos collects while the ZA gateway shows an error page and never returns
      Then nothing is asked before the browser comes back

  @UCI-V.exc.gen2 @UC-V.exc.gen2 @UC-V.exc.6
  Rule: The exceptions are told apart

    @id:told-apart @order:late
    Scenario: Every exception has a text of its own
      Elke uitzondering heeft een eigen tekst.

      Given Roos has met every exception
      Then the exceptions are told apart
      And the causes of a failed delivery are told apart

  @UCI-V.exc.gen1
  Rule: What was stopped stays stopped

    @id:silence @order:late
    Scenario: Nothing more is sent in a collection that was stopped
      Na het einde van een verzameling wordt er niets meer verstuurd.

      Given the stopped collections were watched for a while
      Then the stopped collections stay silent

  @RFC6749.10.14
  Rule: What comes back is not trusted

    @id:returned-markup
    Scenario: Markup in the description of an error is harmless
      Opmaak in een foutbeschrijving doet geen kwaad.

      When Roos collects while the ZA gateway reports an exception with markup in its description
      Then markup that comes back is harmless

    @id:broken-answer
    Scenario Outline: A ZA gateway that <event> gives no data
      Een kapot antwoord wordt niet voor gegevens aangezien.

      When Roos collects while the ZA gateway <event>
      Then a broken answer ends the collection and Roos is told

      Examples:
        | event                                     |
        | answers the token request with garbage    |
        | breaks off the token response             |
        | cuts the connection of the token request  |
        | answers the FHIR request with garbage     |
        | breaks off the FHIR answer                |
