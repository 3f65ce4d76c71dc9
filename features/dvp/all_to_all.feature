@role:dvp
Feature: Every PGO with every ZA gateway

  Several ZA gateways at once, under names of their own: what belongs to one never reaches the other.

  @UC-V.step.2 @GRD.P1 @META.8
  Rule: Every choice goes to its own ZA gateway

    @id:two-at-once @needs:offers=2
    Scenario: Two collections at once, one of them slow, do not cross
      Twee verzamelingen tegelijk, waarvan één traag, raken niet verward.

      When Roos and Rik collect at once, and the ZA gateway of Roos is slow
      Then neither collection touches the other

    @id:every-choice @needs:offers=2
    Scenario: Every offer is collected at its own address
      Elk aanbod wordt op zijn eigen adres verzameld.

      When Roos collects from every offer
      Then every choice goes to the address of its own
