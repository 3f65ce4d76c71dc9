@role:registratie
Feature: What changes is published within a day

  A change in the register is asked for by the vendor's hook. Then a day passes: in real time in the plan watch, or on a clock that
  the vendor moves.

  @P&I.12 @APP.18
  Rule: What is registered is in the ZAL a day later

    @id:provider-added @plan:watch @order:watched @needs:hook=registration @registered:zal=added
    Scenario: A care provider that was added is in the ZAL a day later
      Een nieuwe zorgaanbieder staat een dag later in de Zorgaanbiederslijst.

      Given the vendor has added a care provider
      When a day has passed
      And the PGO gateway asks for the ZAL
      Then the change is in the ZAL
      And the ZAL was published since

    @id:provider-changed @plan:watch @order:watched @needs:hook=registration @registered:zal=changed
    Scenario: The new addresses of a care provider are in the ZAL a day later
      Een gewijzigd adres staat een dag later in de Zorgaanbiederslijst.

      Given the vendor has changed a care provider
      When a day has passed
      And the PGO gateway asks for the ZAL
      Then the change is in the ZAL
      And the ZAL was published since

    @id:provider-removed @plan:watch @order:watched @needs:hook=registration @registered:zal=removed
    Scenario: A care provider that was removed is out of the ZAL a day later
      Een verwijderde zorgaanbieder is een dag later uit de Zorgaanbiederslijst.

      Given the vendor has removed a care provider
      When a day has passed
      And the PGO gateway asks for the ZAL
      Then the change is in the ZAL
      And the ZAL was published since

  @P&I.17 @APP.21a
  Rule: What is registered is on the Whitelist a day later

    @id:gateway-added @plan:watch @order:watched @needs:hook=registration @registered:whitelist=added
    Scenario: A gateway that was added is on the Whitelist a day later
      Een nieuwe gateway staat een dag later op de Whitelist.

      Given the vendor has added a PGO gateway
      When a day has passed
      And the PGO gateway asks for the Whitelist
      Then the change is on the Whitelist
      And the Whitelist was published since

    @id:gateway-removed @plan:watch @order:watched @needs:hook=registration @registered:whitelist=removed
    Scenario: A gateway that was removed is off the Whitelist a day later
      Een verwijderde gateway is een dag later van de Whitelist af.

      Given the vendor has removed a PGO gateway
      When a day has passed
      And the PGO gateway asks for the Whitelist
      Then the change is on the Whitelist
      And the Whitelist was published since

  @OPS.6 @APP.19 @APP.22
  Rule: A registration is checked before it is published

    @id:registration @control:first @needs:hook=registration
    Scenario: A good care provider is registered
      Een goede zorgaanbieder wordt geregistreerd.

      Given the PGO gateway has got the ZAL
      When a participant asks to register a good care provider
      Then the registration is accepted

    @id:registration-at-the-end @control:last @needs:hook=registration
    Scenario: At the end a good care provider is still registered
      Aan het eind wordt een goede zorgaanbieder nog steeds geregistreerd.

      Given the PGO gateway has got the ZAL
      When a participant asks to register a good care provider
      Then the registration is accepted

    @id:bad-provider @needs:hook=registration
    Scenario Outline: A care provider <flaw> is refused
      Een zorgaanbieder die een regel breekt wordt geweigerd, met een reden.

      When a participant asks to register a care provider <flaw>
      Then the care provider is refused, with a reason

      Examples:
        | flaw                             |
        | with two sources for one service |
        | whose name has a hyphen          |
        | whose name has two letters       |

    @id:bad-gateway @needs:hook=registration
    Scenario Outline: A <flaw> gateway is refused
      Een gateway met een verkeerde weergavenaam wordt geweigerd, met een reden.

      When a participant asks to register a <flaw> gateway
      Then the gateway is refused, with a reason

      Examples:
        | flaw         |
        | named ZA     |
        | nameless PGO |
