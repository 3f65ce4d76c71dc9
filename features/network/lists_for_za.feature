@role:dvza @needs:lists=listen @needs:hook=reload_lists
Feature: The Whitelist at a ZA gateway

  The gateway fetches the Whitelist from MedMij Registratie, which the harness plays, and refuses what is not valid.

  @UCI-WL.1 @APP.20 @APP.21c
  Rule: The newest Whitelist counts

    @id:whitelist-fetched
    Scenario: The ZA gateway fetches the Whitelist
      De ZA-gateway haalt de Whitelist op bij MedMij Registratie.

      Given the PGO has collected the data of Roos
      When the vendor lets the gateway fetch its lists
      Then the Whitelist is fetched when the vendor says so
      And the Whitelist is fetched over mutual TLS, under the gateway's own name

    @id:whitelist-removed @needs:node=other
    Scenario: Mallory was taken off the Whitelist
      Wie van de Whitelist af is krijgt geen token meer.

      Given Mallory holds a code for Roos
      When MedMij Registratie publishes a Whitelist without the other node
      And Mallory redeems her own code
      Then Mallory, who was taken off the Whitelist, gets no token

    @id:whitelist-rollback @needs:node=other
    Scenario: The Whitelist is rolled back to one without Mallory
      Een teruggedraaide Whitelist telt als iedere andere.

      Given Mallory holds a code for Roos
      And MedMij Registratie has published newer lists
      When MedMij Registratie goes back to an older Whitelist, without the other node
      And Mallory redeems her own code
      Then Mallory, whom the older Whitelist lacks, gets no token

  @APP.22
  Rule: A Whitelist that is not valid does not come into use

    @id:bad-whitelist @needs:node=other
    Scenario Outline: Mallory is served in spite of a Whitelist <flaw>
      Wie op de laatste goede Whitelist staat wordt bediend.

      Given Mallory holds a code for Roos
      When MedMij Registratie publishes a Whitelist <flaw>, without the other node and with the unlisted one
      And Mallory redeems her own code
      Then the last good Whitelist stays in use for Mallory

      Examples:
        | flaw                         |
        | that is cut off              |
        | with a document type         |
        | that does not fit its schema |
        | with the same entry twice    |

    @id:bad-whitelist-opens-no-door @needs:node=unlisted
    Scenario Outline: The unlisted node gets nothing by a Whitelist <flaw>
      Een ongeldige Whitelist geeft niemand toegang.

      Given the PGO holds a code for Roos
      When MedMij Registratie publishes a Whitelist <flaw>, without the other node and with the unlisted one
      And a node on no list redeems the code of Roos under the client id of the PGO
      Then the bad Whitelist opens no door for the unlisted node

      Examples:
        | flaw                      |
        | that is cut off           |
        | with the same entry twice |

  @UCI-WL.2
  Rule: A Whitelist that is too old counts as none

    @id:whitelist-too-old @plan:watch @order:watched @needs:node=other
    Scenario: Nobody is served when the Whitelist cannot be fetched for more than an hour
      Zonder Whitelist van hoogstens een uur oud wordt niemand bediend.

      Given MedMij Registratie has published newer lists
      When MedMij Registratie does not answer any more
      And the Whitelist of the gateway has grown too old
      And Mallory offers a code that nobody issued
      Then a Whitelist that is too old counts as none

  @APP.21b
  Rule: The Whitelist is fetched at least every hour

    @id:whitelist-hourly @plan:watch @order:watched
    Scenario: The ZA gateway fetches the Whitelist every hour
      De ZA-gateway haalt de Whitelist ieder uur op.

      Given the PGO has collected the data of Roos
      And MedMij Registratie has published newer lists
      When an hour and more has passed
      Then the Whitelist is fetched every hour
