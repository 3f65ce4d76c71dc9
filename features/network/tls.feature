Feature: TLS

  What every endpoint of the gateway takes of TLS, and what the gateway offers where it calls others. Judged by the edition of the
  NCSC guideline that the target file names. Only what is seen at work as a gateway is judged.

  @NET.1a @role:dvza @role:dvp @role:registratie
  Rule: SSL is not used

    @id:tls-ssl
    Scenario: No endpoint takes SSL
      Geen adres van de gateway accepteert SSL.

      Given the TLS of every endpoint was probed
      And the gateway was seen at work
      Then no endpoint of the gateway takes a version of SSL

  @NET.1b @role:dvza @role:registratie
  Rule: The back channel is good

    @id:tls-back
    Scenario: Between gateways there is only what the guideline calls good
      Tussen gateways komt alleen voor wat de richtlijn goed noemt.

      Given the TLS of the back channel was probed
      And the gateway was seen at work
      Then the back channel takes nothing that the guideline calls less than good
      And the back channel has no option of TLS on that the guideline warns of

  @NET.1c @role:dvza @role:dvp
  Rule: The front channel is good or sufficient

    @id:tls-front
    Scenario: Towards people there is only what the guideline calls good or sufficient
      Naar personen toe komt alleen voor wat de richtlijn goed of voldoende noemt.

      Given the TLS of the front channel was probed
      And the gateway was seen at work
      Then the front channel takes nothing that the guideline calls less than sufficient
      And the front channel has no option of TLS on that the guideline warns of

  @NET.1c @role:registratie
  Rule: Whoever comes to MedMij Registratie finds nothing less than sufficient

    @id:tls-lists
    Scenario: No address of MedMij Registratie takes what is less than sufficient
      Geen adres van MedMij Registratie accepteert wat minder dan voldoende is.

      Given the TLS of the back channel was probed
      And the gateway was seen at work
      Then no address of MedMij Registratie takes what the guideline calls less than sufficient

  @NET.1d @role:dvza @role:dvp @role:registratie
  Rule: The strongest comes first

    @id:tls-order
    Scenario: Every endpoint chooses the strongest that is offered
      Ieder adres kiest de sterkste versleuteling die wordt aangeboden.

      Given the TLS of every endpoint was probed
      And the gateway was seen at work
      Then every endpoint of the gateway chooses the strongest that it is offered

  @NET.1a @NET.1b @NET.1d @role:dvp
  Rule: A PGO that calls gateways does so by good TLS

    @id:tls-client
    Scenario: The PGO offers good TLS to gateways, the strongest first
      Het PGO biedt gateways goede TLS aan, de sterkste eerst.

      Given the gateway was seen at work
      Then the PGO offers the back channel nothing that the guideline calls less than good
      And the PGO offers the strongest first

    @id:tls-client-ssl
    Scenario: The PGO takes no SSL
      Het PGO gaat niet in op SSL.

      Given the gateway was seen at work
      When Roos collects while the ZA gateways want SSL 3.0
      Then the PGO neither offers SSL nor takes it

    @id:tls-client-old
    Scenario: The PGO takes no old version of TLS
      Het PGO gaat niet in op een oude versie van TLS.

      Given the gateway was seen at work
      When Roos collects while the ZA gateways want TLS 1.0, and again while they want TLS 1.1
      Then the PGO breaks off when a gateway wants an old version of TLS
