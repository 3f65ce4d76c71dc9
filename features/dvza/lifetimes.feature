@role:dvza
Feature: Lifetimes

  Codes and tokens live exactly as long as the release says. Real time is shown by the full plan, in which all waits overlap; with a
  clock hook the quick plan shows the rule, and calls it attested.

  @APP.10
  Rule: A code and a token live their whole lifetime and not longer

    @id:code-in-time @plan:full @aged:code=early
    Scenario: A code just before the end of its lifetime is good
      Een code vlak voor het einde van zijn geldigheid is goed.

      Given the PGO has kept a code for Roos until just before the end of its lifetime
      When the PGO redeems the code
      Then the code is still good

    @id:code-too-late @plan:full @aged:code=late
    Scenario: A code just after the end of its lifetime is refused
      Een code vlak na het einde van zijn geldigheid wordt geweigerd.

      Given the PGO has kept a code for Roos until just after the end of its lifetime
      When the PGO redeems the code
      Then the code is good no longer
      And the dead code is refused as an invalid one

    @id:used-code-in-time @plan:full @aged:used-code=early
    Scenario: A used code is refused to the end of its lifetime
      Een gebruikte code wordt tot het einde van zijn geldigheid geweigerd.

      Given the PGO has kept a used code for Roos until just before the end of its lifetime
      When the PGO redeems the same code again
      Then the used code is still refused

    @id:token-in-time @plan:full @aged:token=early
    Scenario: A token just before the end of its lifetime opens the data
      Een token vlak voor het einde van zijn geldigheid geeft toegang.

      Given the PGO has kept a token for Roos until just before the end of its lifetime
      When the PGO asks for the data
      Then the token is still good

    @id:token-too-late @plan:full @aged:token=late
    Scenario: A token just after the end of its lifetime is refused
      Een token vlak na het einde van zijn geldigheid wordt geweigerd.

      Given the PGO has kept a token for Roos until just after the end of its lifetime
      When the PGO asks for the data
      Then the token is good no longer
      And the dead token is refused as an invalid one
      And the challenge says that the dead token is invalid

    @id:token-in-use-too-late @plan:full @aged:token-in-use=late
    Scenario: The use of a token does not prolong its life
      Het gebruik van een token verlengt zijn geldigheid niet.

      Given the PGO has kept and used a token for Roos until just after the end of its lifetime
      When the PGO asks for the data
      Then its use has not prolonged the token's life

    @id:token-after-its-code @plan:full @aged:code-redeemed-late=late
    Scenario: A token outlives the code that it came from
      Een token leeft langer dan de code waaruit het kwam.

      Given the PGO has redeemed a code late, and kept its token until the code is dead
      When the PGO asks for the data
      Then the token outlives its code
