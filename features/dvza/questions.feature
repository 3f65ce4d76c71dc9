@role:dvza
Feature: Questions to the vendor

  What cannot be seen from outside, asked by the vendor's hook `questions` or at the terminal. Nobody is asked about a gateway that
  does not work. A yes is attested, never a pass.

  @UC-V.exc.gen2 @UCI-V.exc.gen2
  Rule: Error pages speak plainly

    @id:question-plain-words @needs:hook=questions @order:asked
    Scenario: The vendor is asked about the words of its error pages
      Aan de leverancier wordt gevraagd of foutpagina's gewone taal spreken.

      Given the PGO holds a code for Roos
      When the vendor answers the question "plain-words"
      Then the vendor states that its error pages speak plainly

  @TV.8
  Rule: The supplied screen is used

    @id:question-consent-screen @needs:hook=questions @order:asked
    Scenario: The vendor is asked about the supplied consent screen
      Aan de leverancier wordt gevraagd of het geleverde toestemmingsscherm wordt gebruikt.

      Given the PGO holds a code for Roos
      When the vendor answers the question "consent-screen"
      Then the vendor states that the supplied consent screen is used

  @RFC6819.4.2.1b
  Rule: People can recognise the real site

    @id:question-phishing @needs:hook=questions @order:asked
    Scenario: The vendor is asked what people are told of false sites
      Aan de leverancier wordt gevraagd wat mensen over valse sites te horen krijgen.

      Given the PGO holds a code for Roos
      When the vendor answers the question "phishing"
      Then the vendor states that people are told how to recognise the site

  @MERK.1
  Rule: The participant logo is used as agreed

    @id:question-logo @needs:hook=questions @order:asked
    Scenario: The vendor is asked about the participant logo
      Aan de leverancier wordt gevraagd naar het deelnemerslogo.

      Given the PGO holds a code for Roos
      When the vendor answers the question "logo"
      Then the vendor states that the participant logo is used as agreed

  @LOG.5
  Rule: What is recorded cannot be changed unnoticed

    @id:question-log-protection @needs:hook=questions @order:asked
    Scenario: The vendor is asked how its log is protected
      Aan de leverancier wordt gevraagd hoe het logboek beschermd is.

      Given the PGO holds a code for Roos
      When the vendor answers the question "log-protection"
      Then the vendor states that the log cannot be changed unnoticed

  @OVK.4.1
  Rule: Care providers are informed before they begin

    @id:question-onboarding @needs:hook=questions @order:asked
    Scenario: The vendor is asked what care providers learn beforehand
      Aan de leverancier wordt gevraagd wat zorgaanbieders vooraf te weten krijgen.

      Given the PGO holds a code for Roos
      When the vendor answers the question "onboarding"
      Then the vendor states that care providers are informed before they begin

  @OVK.7.3
  Rule: The service can be stopped when that is ordered

    @id:question-suspension @needs:hook=questions @order:asked
    Scenario: The vendor is asked how it suspends its service
      Aan de leverancier wordt gevraagd hoe de dienst kan worden stilgelegd.

      Given the PGO holds a code for Roos
      When the vendor answers the question "suspension"
      Then the vendor states that it can stop the service at once when ordered

  @OVK.7.5 @OPS.3
  Rule: Leaving the network is prepared

    @id:question-exit @needs:hook=questions @order:asked
    Scenario: The vendor is asked how it leaves the network
      Aan de leverancier wordt gevraagd hoe uittreding verloopt.

      Given the PGO holds a code for Roos
      When the vendor answers the question "exit"
      Then the vendor states that it is ready to leave the network

  @NIB.A.9.4.1
  Rule: Access to information is restricted

    @id:question-access-restriction @needs:hook=questions @order:asked
    Scenario: The vendor is asked about the restriction of access
      Aan de leverancier wordt gevraagd naar de beperking van toegang.

      Given the PGO holds a code for Roos
      When the vendor answers the question "access-restriction"
      Then the vendor states that access to information is restricted

  @APP.19
  Rule: What is handed in for the Zorgaanbiederslijst was validated

    @id:question-zal-entries @needs:hook=questions @order:asked
    Scenario: The vendor is asked how entries of the Zorgaanbiederslijst are validated
      Aan de leverancier wordt gevraagd hoe opgaven voor de Zorgaanbiederslijst worden gevalideerd.

      Given the PGO holds a code for Roos
      When the vendor answers the question "zal-entries"
      Then the vendor states that what it hands in for the Zorgaanbiederslijst was validated
