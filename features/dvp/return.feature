@role:dvp
Feature: The browser comes back to the PGO

  A code is offered once, and only when it comes with the state of a request that waits for it in this browser.

  @APP.12a
  Rule: A code is offered at most once

    @id:code-once
    Scenario Outline: A ZA gateway that <event> gets the code once
      Wat het antwoord ook is, de code wordt één keer aangeboden.

      When Roos collects while the ZA gateway <event>
      Then the code is offered once

      Examples:
        | event                                    |
        | is too busy to redeem the code           |
        | cuts the connection of the token request |
        | breaks off the token response            |
        | answers the token request with garbage   |
        | answers the token request slowly         |
        | does not accept the code                 |

    @id:reload
    Scenario: A reload of the return does not offer the code again
      Herladen biedt de code niet opnieuw aan.

      Given Roos has collected her data
      When she reloads the address of her return
      Then the code is offered once

    @id:stale-cookies
    Scenario: A browser without cookies does not offer the code again
      Een browser zonder cookies biedt de code niet opnieuw aan.

      Given Roos has collected her data
      When somebody opens the address of her return in another browser
      Then the code is offered once

    @id:two-tabs-return
    Scenario: Two tabs at once offer the code once
      Twee tabbladen tegelijk bieden de code één keer aan.

      Given the ZA gateway has sent Roos back with a code
      When she opens the address of her return in two tabs at once
      Then the code is offered once

  @UCI-V.step.11b @RFC6819.4.4.1.8a @RFC6819.4.4.1.12a
  Rule: Only her own state counts

    @id:strange-state
    Scenario Outline: A ZA gateway that <event> gets no token request
      Een onjuiste state leidt niet tot een tokenverzoek.

      When Roos collects while the ZA gateway <event>
      Then a code without a state of her own is not redeemed
      And Roos is told that the return is none of hers

      Examples:
        | event                |
        | alters the state     |
        | leaves the state out |

    @id:used-state
    Scenario: A state that was used brings in no other code
      Een gebruikte state brengt geen andere code binnen.

      Given Roos has collected her data
      When she comes back a second time with her old state and another code
      Then a code without a state of her own is not redeemed
      And Roos is told that the return is none of hers

    @id:another-browser
    Scenario: A state does not count in another browser
      Een state geldt niet in een andere browser.

      Given the ZA gateway has sent Roos back with a code
      When somebody opens the address of her return in another browser
      Then a code without a state of her own is not redeemed
      And Roos is told that the return is none of hers

    @id:made-up-returns
    Scenario: Codes and states that are made up are not redeemed
      Verzonnen codes en states leiden niet tot tokenverzoeken.

      Given Roos has collected her data
      When somebody comes back many times with codes and states that are made up
      Then a code without a state of her own is not redeemed
