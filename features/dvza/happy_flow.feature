@role:dvza
Feature: UCI Verzamelen, from request to data

  The whole happy flow, step by step. It also opens and closes every run: a refusal counts only when the same request without its
  defect was accepted before it and after it.

  @APP.3 @UCI-V.step.10 @UCI-V.step.13 @UCI-V.step.15
  Rule: A person collects her data in one uninterrupted flow

    @id:happy-flow @control:first
    Scenario: Roos collects her data from the care provider
      Roos verzamelt haar gegevens bij de zorgaanbieder, van verzoek tot antwoord.

      When the PGO sends Roos to the gateway
      Then the gateway asks Roos to log in before anything else
      When Roos logs in
      Then the gateway itself asks for consent
      When Roos gives consent
      Then the gateway sends Roos back to the PGO with a code
      And the state comes back unchanged
      And the browser is sent on by a redirect that makes it forget the form
      When the PGO redeems the code
      Then the gateway issues a token
      When the PGO asks for the data
      Then the gateway delivers the data
      And the data comes in the answer itself

  @P&I.7 @GRD.P1
  Rule: Every listed PGO is served alike

    @id:second-pgo @control:first @needs:node=other
    Scenario: A second listed PGO collects with the same result
      Een tweede PGO op de lijsten verzamelt met hetzelfde resultaat.

      Given the PGO has collected the data of Roos
      When Mallory collects the data of Roos as a second listed PGO
      Then the second PGO is served as well

  @UCI-V.step.15
  Rule: The gateway still works after everything that was refused

    @id:closing-pgo @control:last
    Scenario: At the end the PGO still collects
      Aan het eind verzamelt het PGO nog steeds.

      Given the PGO has collected the data of Roos
      Then the gateway delivers the data

    @id:closing-second-pgo @control:last @needs:node=other
    Scenario: At the end the second PGO still collects
      Aan het eind verzamelt ook het tweede PGO nog steeds.

      Given the PGO has collected the data of Roos
      When Mallory collects the data of Roos as a second listed PGO
      Then the second PGO is served as well
