@role:dvza
Feature: The log of consent

  What the gateway keeps of a person's choice, handed over by the vendor's hook.

  @LOG.1 @LOG.7 @JUR.15
  Rule: Consent is recorded, without credentials

    @id:consent-logged @needs:hook=log
    Scenario: The consent of Roos is in the log
      De toestemming van Roos staat in het logboek.

      Given the PGO holds a token for Roos
      When the vendor hands over the log
      Then the consent is in the log
      And the log holds no code and no token

  @LOG.5
  Rule: Every request is recorded, however it ended

    @id:requests-logged @needs:hook=log
    Scenario: Requests that ended in five ways are in the log
      Verzoeken die op vijf manieren eindigden, staan in het logboek.

      Given five collections have ended in five ways
      When the vendor hands over the log
      Then each of the five requests is in the log with its outcome

  @LOG.2
  Rule: A refusal is recorded

    @id:refusal-logged @needs:hook=log
    Scenario: The refusal of Roos is in the log
      De weigering van Roos staat in het logboek.

      Given Roos sees the consent question
      When Roos refuses
      And the vendor hands over the log
      Then the refusal is in the log
