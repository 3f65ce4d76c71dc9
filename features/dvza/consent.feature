@role:dvza
Feature: The consent question

  What the person sees, and that nothing happens without her.

  @TV.1 @TV.2 @TV.3 @UCI-V.cons.3 @TV.6 @TV.7
  Rule: The question names who, what and to whom, and offers both choices

    @id:consent-page
    Scenario: The consent question has its three names, its link and both choices
      De toestemmingsvraag noemt zorgaanbieder, gegevensdienst en PGO-leverancier, en biedt beide keuzes.

      Given Roos sees the consent question
      Then the gateway itself asks for consent
      And the consent question names the care provider
      And the consent question names the data service
      And the consent question names the supplier of the PGO
      And the consent question links the full text
      And the consent question offers both choices
      And no choice is made beforehand

    @id:consent-purpose @needs:consent=purpose
    Scenario: The consent question states the purpose
      De toestemmingsvraag noemt het doel.

      Given Roos sees the consent question
      Then the consent question states the purpose

    @id:consent-text @needs:consent=text
    Scenario: The consent question is the text that the target file gives
      De toestemmingsvraag is woord voor woord de opgegeven tekst.

      Given Roos sees the consent question
      Then the consent question is the given text

  @UCI-V.cons.2
  Rule: The name of the data service follows from the scope

    @id:consent-other-service @needs:offers=2
    Scenario: Another scope gives another name
      Een andere scope geeft een andere naam.

      Given Roos is asked for consent for the second offer
      Then the consent question names the data service

  @RFC6749.10.14
  Rule: Names are text

    @id:consent-markup @needs:node=other
    Scenario: Markup in the name of a PGO supplier does no harm
      Opmaak in de naam van een PGO-leverancier doet geen kwaad.

      When Mallory sends Roos to the gateway and she logs in
      Then the markup in the name is shown as text

  @P&I.8 @TV.9
  Rule: Consent is asked each time

    @id:consent-again
    Scenario: A second collection asks for consent again
      Een tweede verzameling vraagt opnieuw om toestemming.

      Given Roos has come back to the PGO with a code
      When Roos logs in for a second collection in the same browser
      Then the gateway asks for consent again

  @P&I.9
  Rule: Nothing is asked before the person is known

    @id:consent-early
    Scenario: The address of the consent question shows nothing without a login
      Het adres van de toestemmingsvraag toont niets zonder inloggen.

      Given Roos sees the consent question
      When somebody opens the address of the consent question
      Then there is no consent question before the login

  @RFC6819.4.4.1.10a
  Rule: Only the person herself can consent

    @id:consent-forged
    Scenario: Consent with an altered hidden field yields no code
      Toestemming met een gewijzigd verborgen veld levert geen code op.

      Given Roos sees the consent question
      When her consent arrives with an altered hidden field
      Then the forged consent yields no code

    @id:consent-stolen
    Scenario: Consent from another browser yields no code
      Toestemming vanuit een andere browser levert geen code op.

      Given Roos sees the consent question
      When her consent arrives from a browser without her cookies
      Then the forged consent yields no code

    @id:consent-not-her-own
    Scenario Outline: Consent <forgery> yields no code
      Vervalste toestemming levert geen code op.

      Given Roos sees the consent question
      When her consent arrives <forgery>
      Then the forged consent yields no code

      Examples:
        | forgery                                  |
        | in an address that somebody gave her     |
        | with the hidden fields of another session |
        | a second time                            |

  @RFC6819.4.4.1.9
  Rule: Pages cannot be framed

    @id:framing
    Scenario: No page of the flow can be framed
      Geen enkele pagina laat zich in een frame tonen.

      Given the PGO holds a code for Roos
      Then no page of the gateway can be framed

  @APP.4 @APP.5
  Rule: The BSN stays with the provider

    @id:bsn-browser
    Scenario: The BSN does not show in the browser
      Het BSN komt niet in de browser terecht.

      Given the PGO holds a code for Roos
      Then the BSN stays out of the browser

    @id:bsn-gateways
    Scenario: The BSN does not travel between the gateways
      Het BSN gaat niet tussen de gateways heen en weer.

      Given the PGO has collected the data of Roos
      Then the BSN is nowhere between the gateways
      And every address in the data is on the gateway
      And no identifier in the data is a BSN
      And no number in the data looks like a BSN
      And the data is structured and machine-readable
      And the answer holds what was asked for

  @RFC6750.5.3d
  Rule: Cookies hold no codes and no tokens

    @id:cookies
    Scenario: No cookie holds a code or a token
      Geen cookie bevat een code of token.

      Given the PGO has collected the data of Roos
      Then no cookie holds a code or a token
