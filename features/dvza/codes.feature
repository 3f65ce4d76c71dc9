@role:dvza
Feature: Authorization codes

  @APP.11a
  Rule: Codes are version 4 UUIDs

    @id:code-form
    Scenario: A code is a version 4 UUID
      Een autorisatiecode is een UUID van versie 4.

      Given the PGO holds a code for Roos
      Then the code is a version 4 UUID
