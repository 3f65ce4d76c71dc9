@role:dvp
Feature: What the PGO keeps

  Data with where it came from, and consent; handed over by the vendor's hooks.

  @P&I.1 @UC-V.meta @UCI-V.step.16
  Rule: What was collected is kept, with its origin

    @id:dossier @needs:hook=dossier
    Scenario: What Roos collected is in her dossier
      Wat Roos verzamelde staat in haar dossier, met de herkomst.

      Given Roos has collected her data
      When the vendor hands over the dossier
      Then what was delivered is in the dossier
      And what was delivered has its origin in the dossier

    @id:dossier-pages @needs:hook=dossier
    Scenario: Every page of what was delivered is in the dossier
      Elke pagina van het antwoord staat in het dossier.

      When Roos collects while the ZA gateway delivers in pages
      And the vendor hands over the dossier
      Then what was delivered is in the dossier

  @UCI-V.exc.7p
  Rule: What failed is not kept

    @id:failed-answer @needs:hook=dossier
    Scenario Outline: Nothing is kept when the ZA gateway <event>
      Van een mislukt antwoord wordt niets bewaard.

      When Roos collects while the ZA gateway <event>
      And the vendor hands over the dossier
      Then nothing of the failed answer is in the dossier

      Examples:
        | event                     |
        | does not accept the token |
        | cannot reach the source   |

  @UCI-V.step.11 @UC-V.user @LOG.6 @LOG.7
  Rule: Consent is recorded, without credentials

    @id:pgo-consent-logged @needs:hook=log
    Scenario: The consent that Roos gave is in the log of the PGO
      De toestemming van Roos staat in het logboek van het PGO.

      Given the vendor has handed over the log before
      When Roos collects her data
      And the vendor hands over the log
      Then the consent is in the log of the PGO
      And the log of the PGO holds no code, no token and no BSN

    @id:pgo-consent-logged-at-once @needs:hook=log
    Scenario: The consent is in the log even when nothing can be collected
      De toestemming staat in het logboek, ook als er daarna niets verzameld kan worden.

      Given the vendor has handed over the log before
      When Roos collects while the ZA gateway does not accept the code
      And the vendor hands over the log
      Then the consent is in the log of the PGO

  @UCI-V.exc.4p
  Rule: A refusal is no consent

    @id:pgo-refusal-logged @needs:hook=log
    Scenario: A refusal is not in the log of the PGO as a consent
      Een weigering staat niet als toestemming in het logboek van het PGO.

      Given the vendor has handed over the log before
      When Roos collects while the ZA gateway reports exception 4
      And the vendor hands over the log
      Then no consent is in the log of the PGO

  @UCI-V.step.11b
  Rule: A strange return is no consent

    @id:strange-return-logged @needs:hook=log
    Scenario: A return with a strange state is not in the log of the PGO as a consent
      Een terugkeer met een vreemde state staat niet als toestemming in het logboek.

      Given the vendor has handed over the log before
      When Roos collects while the ZA gateway alters the state
      And the vendor hands over the log
      Then a strange return leaves no consent in the log

  @JUR.12
  Rule: The PGO does without the BSN

    @id:bsn-kept @needs:hook=dossier @needs:hook=log
    Scenario: Neither dossier nor log knows the BSN of Roos
      Het BSN van Roos staat niet in haar dossier en niet in het logboek.

      Given Roos has collected her data
      When the vendor hands over the dossier
      And the vendor hands over the log
      Then dossier and log hold no BSN
