@role:registratie
Feature: What is in the lists

  The metamodel, the naming policy, and what a schema can and cannot say.

  @P&I.10 @P&I.11 @APP.19 @META.6 @META.7 @META.8
  Rule: The ZAL tells where each service of each care provider is found

    @id:zal-content
    Scenario: The ZAL follows the metamodel
      De Zorgaanbiederslijst volgt het metamodel.

      When the PGO gateway asks for the ZAL
      Then the ZAL fits its schema
      And each service of a care provider has one source
      And each service is offered through one gateway, in roles of its own
      And token and resource endpoint are on one gateway, and each role has one address
      And the ZAL names services of the catalogue

  @P&I.13 @NAAM.2 @NAAM.5 @NAAM.6 @NAAM.7
  Rule: Care providers have names by the naming policy

    @id:zal-names
    Scenario: The names of care providers follow the naming policy
      De namen van zorgaanbieders volgen het namenbeleid.

      When the PGO gateway asks for the ZAL
      Then each care provider has a name of its own, by the naming policy
      And no name stands twice or resembles another
      And each name has three letters at least
      And each name is in small letters
      And each name is of the 26 letters alone

  @P&I.15 @APP.22 @META.1
  Rule: The Whitelist tells who takes part

    @id:whitelist-content
    Scenario: The Whitelist follows the metamodel
      De Whitelist volgt het metamodel en kent iedere Bron.

      When the PGO gateway asks for the ZAL
      And the PGO gateway asks for the Whitelist
      Then the Whitelist fits its schema
      And what belongs together in the lists is there once, and on the Whitelist

  @P&I.15 @P&I.16 @META.2
  Rule: PGO gateways have a name for people, ZA gateways have none

    @id:names-for-people @needs:list=ocl @needs:node=other
    Scenario: Only PGO gateways have a name for people
      Alleen PGO-gateways hebben een naam die mensen zien.

      When the PGO gateway asks for the ZAL
      And the PGO gateway asks for the Whitelist
      And the PGO gateway asks for the OAuth client list
      Then the PGO gateways have the names of their organisations
      And the ZA gateways have no name for people
      And each gateway is of one of two types
