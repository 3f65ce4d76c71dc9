@role:dvza @needs:limit=load
Feature: Guessing and load

  What happens when somebody tries too much. Run last, and only where the target file allows it with [limits] load = true.

  @RFC6819.4.4.1.11
  Rule: Requests that lead nowhere exhaust nothing

    @id:unfinished @order:load
    Scenario: Fifty requests without a login leave room for another
      Vijftig verzoeken zonder inloggen laten ruimte voor een volgend.

      Given the PGO has collected the data of Roos
      When fifty authorization requests arrive and nobody logs in
      And the PGO collects the data of Roos once more, up to three times
      Then the gateway outlives the unfinished requests

  @RFC6819.4.4.1.3c @RFC6819.4.4.1.12c
  Rule: Who guesses codes is slowed down or shut out, and nobody else

    @id:guessing @order:load @needs:node=other
    Scenario: A hundred guesses do not go unnoticed, and others do not suffer from them
      Honderd gokken blijven niet onopgemerkt, en anderen hebben er geen last van.

      Given the PGO holds a code for Roos
      When Mallory tries a hundred codes that nobody issued
      And the PGO redeems the code, up to three times
      Then the gateway notices the guessing
      And the gateway serves others meanwhile
