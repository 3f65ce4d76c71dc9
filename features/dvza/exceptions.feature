@role:dvza
Feature: The exceptions of UCI Verzamelen

  One row per UCI exception, in the order of the exception table: what brings it about, and how it must be reported.

  @UCI-V.exc.1 @UCI-V.exc.2 @UCI-V.exc.3 @UCI-V.exc.4 @UCI-V.exc.6 @UCI-V.exc.7
  Rule: Every exception has its exact result

    @id:exception
    Scenario Outline: Exception <exception> is reported as the release prescribes
      Uitzondering <exception> wordt gemeld zoals de release voorschrijft.

      Given <situation>
      When <event>
      Then <report>

      Examples:
        | exception          | situation                                     | event                                                              | report                              |
        | 1: scope           | nothing has happened yet                      | the PGO sends Roos to the gateway with "scope" set to "no-such-service"      | the scope is refused, the person first |
        | 2: login cancelled | the person of "available" is sent to the gateway | Roos cancels the login                                          | exception 2 is reported to the PGO  |
        | 3: nothing there   | the person of "unavailable" is sent to the gateway | he logs in                                                    | exception 3 is reported to the PGO  |
        | 4: refused         | Roos sees the consent question                | Roos refuses                                                       | exception 4 is reported to the PGO  |
        | 6: unknown code    | the PGO holds a code for Roos                 | the PGO redeems a code that nobody issued                          | the unknown code is refused         |
        | 7: unknown token   | the PGO holds a token for Roos                | the PGO asks for the data with a token that nobody issued          | the unknown token is refused        |

  @UCI-V.exc.5
  Rule: An answer that cannot be established is exception 5

    @id:exception-5
    Scenario: A form without an answer is exception 5
      Een formulier zonder antwoord is uitzondering 5.

      Given Roos sees the consent question
      When Roos leaves the question unanswered
      Then exception 5 is reported to the PGO
      And the state comes back with the error

    @id:exception-5-answers
    Scenario Outline: <answer> at once are exception 5
      Een antwoord dat niet te duiden is, is uitzondering 5.

      Given Roos sees the consent question
      When her form arrives with <answer>
      Then exception 5 is reported to the PGO

      Examples:
        | answer                       |
        | both answers                 |
        | an answer that nobody offers |

    @id:exception-5-not-genuine
    Scenario: An answer with an altered anti-forgery value is exception 5
      Een antwoord met een gewijzigde waarde tegen vervalsing is uitzondering 5.

      When the consent of Roos arrives with an altered anti-forgery value
      Then the answer that is not genuine is exception 5

    @id:exception-5-no-session
    Scenario: An answer without the cookies of the session is exception 5 or a page
      Een antwoord zonder de cookies van de sessie is uitzondering 5 of een pagina.

      Given Roos sees the consent question
      When her consent arrives from a browser without her cookies
      Then an answer of nobody is exception 5, or ends on a page

    @id:exception-5-hook @needs:hook=authz_unknown
    Scenario: An authorization that the gateway cannot establish is exception 5
      Een toestemming die de gateway niet kan vaststellen, is uitzondering 5.

      Given Roos sees the consent question
      And the gateway cannot establish her answer
      When Roos gives consent
      Then exception 5 is reported to the PGO

  @UCI-V.exc.8
  Rule: A source that does not answer is exception 8

    @id:exception-8 @needs:hook=source_down
    Scenario: A source that does not answer is reported in FHIR
      Een bron die niet antwoordt, wordt in FHIR gemeld.

      Given the PGO holds a token for Roos
      And the source behind the gateway does not answer
      When the PGO asks for the data and waits a minute if need be
      Then exception 8 is reported in FHIR

    @id:exception-8-person @needs:person=undeliverable
    Scenario: Data that the source cannot deliver is reported in FHIR
      Gegevens die de bron niet kan leveren, worden in FHIR als fout gemeld.

      Given the PGO holds a token for the person of "undeliverable"
      When the PGO asks for the data and waits a minute if need be
      Then exception 8 is reported in FHIR

  @RFC6749.4.1.2.1a @RFC6819.4.4.1.8b
  Rule: Errors have the form of RFC 6749 and carry the state

    @id:error-form
    Scenario Outline: The error response after <event> is well formed
      Het foutantwoord heeft de vorm van RFC 6749 en draagt de state.

      Given <situation>
      When <event>
      Then the error response has the form of RFC 6749
      And the state comes back with the error

      Examples:
        | event                  | situation                                          |
        | Roos cancels the login | the person of "available" is sent to the gateway   |
        | he logs in             | the person of "unavailable" is sent to the gateway |
        | Roos refuses           | Roos sees the consent question                     |

  @UCI-V.step.8
  Rule: Whether anything is available is found out before consent is asked

    @id:availability-first
    Scenario: Bart, of whom there is nothing, is not asked for consent
      Bart, van wie er niets is, krijgt geen toestemmingsvraag.

      Given the person of "unavailable" is sent to the gateway
      When he logs in
      Then Bart is not asked for consent

    @id:unknown-person
    Scenario: An unknown person learns that nothing is available
      Een onbekende persoon hoort dat er niets beschikbaar is.

      Given the person of "unknown" is sent to the gateway
      When he logs in
      Then exception 3 is reported to the PGO

  @JUR.14
  Rule: Nothing for people under sixteen

    @id:under-sixteen @needs:person=young
    Scenario: Evi, who is under sixteen, gets nothing
      Evi is jonger dan zestien en krijgt niets.

      Given the person of "young" is sent to the gateway
      When she logs in and consents if she is asked
      Then the person under sixteen gets nothing

  @ZORG.besch
  Rule: Nothing without a treatment relation

    @id:no-relation @needs:person=no_relation
    Scenario: Nova, who is no patient there, gets nothing
      Nova heeft geen behandelrelatie en krijgt niets.

      Given the person of "no_relation" is sent to the gateway
      When she logs in and consents if she is asked
      Then without a treatment relation there is nothing

  @UCI-V.exc.gen1
  Rule: An exception ends the flow

    @id:session-ended
    Scenario: After a refusal the page that is still open is worth nothing
      Na een weigering is de nog openstaande pagina niets meer waard.

      Given Roos sees the consent question
      When Roos refuses
      And Roos goes back and gives consent after all
      Then the ended session yields no code
      And an answer after the end is exception 5, or ends on a page

    @id:session-ended-undecided
    Scenario: After a form without an answer the page that is still open is worth nothing
      Na een formulier zonder antwoord is de nog openstaande pagina niets meer waard.

      Given Roos sees the consent question
      When Roos leaves the question unanswered
      And Roos goes back and gives consent after all
      Then the ended session yields no code

    @id:login-ended
    Scenario Outline: After <end> the login page that is still open is worth nothing
      Na een uitzondering bij het inloggen is de nog openstaande pagina niets meer waard.

      Given the person of "<person>" is sent to the gateway
      When <end>
      And Roos goes back and logs in after all
      Then the ended session leads nowhere

      Examples:
        | end                    | person      |
        | Roos cancels the login | available   |
        | he logs in             | unavailable |

  @UC-V.exc.gen2 @UCI-V.exc.gen2
  Rule: Exceptions are kept apart and told in words for people

    @id:pages-apart
    Scenario Outline: A faulty <part> and a session that is over have pages of their own
      Een foutief verzoek en een sessie die voorbij is, hebben elk een eigen pagina.

      Given Roos sees the consent question
      And Roos has refused and given consent after all
      When the PGO sends Roos to the gateway with "<part>" set to "<value>"
      Then the two exceptions have pages of their own
      And neither page shows the inside of a program

      Examples:
        | part          | value           |
        | client_id     | unknown.test    |
        | scope         | no-such-service |
