@role:dvp @needs:lists=listen @needs:hook=reload_lists
Feature: The lists at a PGO gateway

  The gateway fetches the ZAL and the Whitelist from MedMij Registratie, which the harness plays, and refuses what is not valid.

  @UCI-ZAL.1 @APP.17 @UCI-WL.1 @APP.20 @APP.21c
  Rule: The PGO gateway fetches its lists

    @id:lists-fetched
    Scenario: The PGO gateway fetches the ZAL and the Whitelist
      De PGO-gateway haalt de Zorgaanbiederslijst en de Whitelist op bij MedMij Registratie.

      Given Roos has collected her data
      When the vendor lets the gateway fetch its lists
      Then the ZAL is fetched when the vendor says so
      And the ZAL is fetched over mutual TLS, under the gateway's own name
      And the Whitelist is fetched when the vendor says so
      And the Whitelist is fetched over mutual TLS, under the gateway's own name

  @UCI-ZAL.2
  Rule: Addresses come from the newest ZAL

    @id:zal-moved
    Scenario: Roos collects from an offer that has moved
      Een nieuw adres in de Zorgaanbiederslijst wordt gebruikt.

      When MedMij Registratie publishes a ZAL with another address for an offer
      And Roos collects her data
      Then the address of the newest ZAL is used

  @APP.19
  Rule: A ZAL that is not valid does not come into use

    @id:bad-zal
    Scenario Outline: Roos collects in spite of a ZAL <flaw>
      Een ongeldige Zorgaanbiederslijst wordt niet gebruikt.

      When MedMij Registratie publishes a ZAL <flaw>, with another address for an offer
      And Roos collects her data
      Then the address of the last good ZAL is used

      Examples:
        | flaw                         |
        | that is cut off              |
        | with a document type         |
        | that does not fit its schema |
        | with the same entry twice    |

  @UCI-ZAL.3
  Rule: When no ZAL can be fetched, the last good one counts

    @id:registratie-down @needs:hook=log
    Scenario: Roos collects while MedMij Registratie does not answer
      Antwoordt MedMij Registratie niet, dan werkt het PGO door en slaat alarm.

      When MedMij Registratie does not answer any more
      And Roos collects her data
      And the vendor hands over the log
      Then the PGO works on with the last good ZAL, and raises an alarm

  @APP.21c
  Rule: The newest Whitelist counts, be it a rolled back one

    @id:za-rolled-back @needs:node=other
    Scenario: Roos collects from a ZA gateway that an older Whitelist lacks
      Een teruggedraaide Whitelist telt als iedere andere.

      Given MedMij Registratie has published newer lists
      And Roos has collected from the other ZA gateway
      When MedMij Registratie goes back to an older Whitelist, without the other node
      And Roos collects from the other ZA gateway
      Then nothing goes to the ZA gateway that the older Whitelist lacks

  @APP.22
  Rule: A Whitelist that is not valid is not used by the PGO

    @id:bad-whitelist-pgo @needs:node=other
    Scenario Outline: Roos collects in spite of a Whitelist <flaw>
      Wie op de laatste goede Whitelist staat wordt aangesproken.

      When MedMij Registratie publishes a Whitelist <flaw>, without the other node and with the unlisted one
      And Roos collects from the other ZA gateway
      Then the last good Whitelist stays in use for the other ZA gateway

      Examples:
        | flaw                         |
        | that is cut off              |
        | that does not fit its schema |
        | with the same entry twice    |

  @UCI-WL.2
  Rule: A Whitelist that is too old counts as none for the PGO

    @id:whitelist-too-old-pgo @plan:watch @order:watched
    Scenario: Nothing goes to a ZA gateway when the Whitelist cannot be fetched for more than an hour
      Zonder Whitelist van hoogstens een uur oud gaat er niets naar een ZA-gateway.

      Given MedMij Registratie has published newer lists
      When MedMij Registratie does not answer any more
      And the Whitelist of the gateway has grown too old
      And Roos collects her data
      Then the PGO speaks to nobody when its Whitelist is too old

  @APP.21b @UCI-ZAL.4
  Rule: The Whitelist is fetched every hour, the ZAL every day

    @id:fetched-in-time @plan:watch @order:watched
    Scenario: The PGO gateway fetches the Whitelist every hour and the ZAL every day
      De PGO-gateway haalt de Whitelist ieder uur op en de Zorgaanbiederslijst iedere dag.

      Given Roos has collected her data
      And MedMij Registratie has published newer lists
      When a day and more has passed
      Then the Whitelist is fetched every hour
      And the ZAL is fetched every day
