@role:dvp
Feature: What the PGO asks of the authorization endpoint

  The happy flow shows the request of one collection; here are the rules that need another offer, or many requests.

  @RFC6749.3.1c
  Rule: The query of an endpoint in the ZAL is kept

    @id:endpoint-query
    Scenario: An authorization endpoint with a query is used with it
      Een autorisatieadres met een query wordt daarmee gebruikt.

      When Roos collects from an offer whose authorization endpoint has a query
      Then the query of the endpoint in the ZAL is kept

  @UCI-V.step.2 @RFC6819.4.4.1.8a
  Rule: Every state is new and cannot be guessed

    @id:states @order:late
    Scenario: The states of many collections differ and are long
      De states van veel verzamelingen verschillen en zijn lang.

      Given Roos has begun many collections
      Then no two states are alike
      And a state cannot be guessed
