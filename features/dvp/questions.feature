@role:dvp
Feature: Questions to the vendor of a PGO

  What cannot be seen from outside, asked by the vendor's hook `questions` or at the terminal. Nobody is asked about a PGO that does
  not work. A yes is attested, never a pass.

  @UC-V.step.1 @UCI-V.step.1
  Rule: People see what they can collect

    @id:ask-pgo-offer @needs:hook=questions @order:asked
    Scenario: The vendor of a PGO is asked whether people see what they can collect
      Aan de leverancier van het PGO wordt de vraag "ask-pgo-offer" gesteld.

      Given Roos has collected her data
      When the vendor answers the question "pgo-offer"
      Then the vendor states that people see what they can collect

  @JUR.3
  Rule: Consent comes before the PGO is used

    @id:ask-pgo-consent @needs:hook=questions @order:asked
    Scenario: The vendor of a PGO is asked whether consent comes before the PGO is used
      Aan de leverancier van het PGO wordt de vraag "ask-pgo-consent" gesteld.

      Given Roos has collected her data
      When the vendor answers the question "pgo-consent"
      Then the vendor states that consent comes before the PGO is used

  @JUR.4
  Rule: Consent is withdrawn as easily as it is given

    @id:ask-pgo-withdrawal @needs:hook=questions @order:asked
    Scenario: The vendor of a PGO is asked whether consent is withdrawn as easily as it is given
      Aan de leverancier van het PGO wordt de vraag "ask-pgo-withdrawal" gesteld.

      Given Roos has collected her data
      When the vendor answers the question "pgo-withdrawal"
      Then the vendor states that consent is withdrawn as easily as it is given

  @JUR.8
  Rule: A person can take her dossier along

    @id:ask-pgo-export @needs:hook=questions @order:asked
    Scenario: The vendor of a PGO is asked whether a person can take her dossier along
      Aan de leverancier van het PGO wordt de vraag "ask-pgo-export" gesteld.

      Given Roos has collected her data
      When the vendor answers the question "pgo-export"
      Then the vendor states that a person can take her dossier along

  @P&I.2
  Rule: A person can consult her dossier

    @id:ask-pgo-dossier @needs:hook=questions @order:asked
    Scenario: The vendor of a PGO is asked whether a person can consult her dossier
      Aan de leverancier van het PGO wordt de vraag "ask-pgo-dossier" gesteld.

      Given Roos has collected her data
      When the vendor answers the question "pgo-dossier"
      Then the vendor states that a person can consult her dossier

  @P&I.3 @MERK.4
  Rule: Only unchanged MedMij content bears the mark

    @id:ask-pgo-mark @needs:hook=questions @order:asked
    Scenario: The vendor of a PGO is asked whether only unchanged MedMij content bears the mark
      Aan de leverancier van het PGO wordt de vraag "ask-pgo-mark" gesteld.

      Given Roos has collected her data
      When the vendor answers the question "pgo-mark"
      Then the vendor states that only unchanged MedMij content bears the mark

  @MERK.2
  Rule: The brand is used as agreed

    @id:ask-pgo-brand @needs:hook=questions @order:asked
    Scenario: The vendor of a PGO is asked whether the brand is used as agreed
      Aan de leverancier van het PGO wordt de vraag "ask-pgo-brand" gesteld.

      Given Roos has collected her data
      When the vendor answers the question "pgo-brand"
      Then the vendor states that the brand is used as agreed

  @VOOR.1
  Rule: People get the user information before they begin

    @id:ask-pgo-user-information @needs:hook=questions @order:asked
    Scenario: The vendor of a PGO is asked whether people get the user information before they begin
      Aan de leverancier van het PGO wordt de vraag "ask-pgo-user-information" gesteld.

      Given Roos has collected her data
      When the vendor answers the question "pgo-user-information"
      Then the vendor states that people get the user information before they begin

  @VOOR.4
  Rule: People rule over their own data

    @id:ask-pgo-own-data @needs:hook=questions @order:asked
    Scenario: The vendor of a PGO is asked whether people rule over their own data
      Aan de leverancier van het PGO wordt de vraag "ask-pgo-own-data" gesteld.

      Given Roos has collected her data
      When the vendor answers the question "pgo-own-data"
      Then the vendor states that people rule over their own data

  @RFC6819.4.1.4a
  Rule: The PGO never asks for DigiD credentials

    @id:ask-pgo-digid @needs:hook=questions @order:asked
    Scenario: The vendor of a PGO is asked whether the PGO never asks for DigiD credentials
      Aan de leverancier van het PGO wordt de vraag "ask-pgo-digid" gesteld.

      Given Roos has collected her data
      When the vendor answers the question "pgo-digid"
      Then the vendor states that the PGO never asks for DigiD credentials

  @RFC6819.4.1.4b
  Rule: Login and consent happen in a browser of the person

    @id:ask-pgo-browser @needs:hook=questions @order:asked
    Scenario: The vendor of a PGO is asked whether login and consent happen in a browser of the person
      Aan de leverancier van het PGO wordt de vraag "ask-pgo-browser" gesteld.

      Given Roos has collected her data
      When the vendor answers the question "pgo-browser"
      Then the vendor states that login and consent happen in a browser of the person

  @RFC6819.4.4.1.12b
  Rule: A user who sends many wrong codes is stopped

    @id:ask-pgo-guessing @needs:hook=questions @order:asked
    Scenario: The vendor of a PGO is asked whether a user who sends many wrong codes is stopped
      Aan de leverancier van het PGO wordt de vraag "ask-pgo-guessing" gesteld.

      Given Roos has collected her data
      When the vendor answers the question "pgo-guessing"
      Then the vendor states that a user who sends many wrong codes is stopped

  @NIB.A.9.4.1
  Rule: The PGO opens with two factors alone

    @id:ask-pgo-two-factors @needs:hook=questions @order:asked
    Scenario: The vendor of a PGO is asked whether the PGO opens with two factors alone
      Aan de leverancier van het PGO wordt de vraag "ask-pgo-two-factors" gesteld.

      Given Roos has collected her data
      When the vendor answers the question "pgo-two-factors"
      Then the vendor states that the PGO opens with two factors alone

  @UC-V.exc.gen2 @UCI-V.exc.gen2
  Rule: Error pages speak plainly

    @id:ask-plain-words @needs:hook=questions @order:asked
    Scenario: The vendor of a PGO is asked whether error pages speak plainly
      Aan de leverancier van het PGO wordt de vraag "ask-plain-words" gesteld.

      Given Roos has collected her data
      When the vendor answers the question "plain-words"
      Then the vendor states that its error pages speak plainly

  @RFC6819.4.2.1b
  Rule: People are told how to recognise the site

    @id:ask-phishing @needs:hook=questions @order:asked
    Scenario: The vendor of a PGO is asked whether people are told how to recognise the site
      Aan de leverancier van het PGO wordt de vraag "ask-phishing" gesteld.

      Given Roos has collected her data
      When the vendor answers the question "phishing"
      Then the vendor states that people are told how to recognise the site

  @MERK.1
  Rule: The participant logo is used as agreed

    @id:ask-logo @needs:hook=questions @order:asked
    Scenario: The vendor of a PGO is asked whether the participant logo is used as agreed
      Aan de leverancier van het PGO wordt de vraag "ask-logo" gesteld.

      Given Roos has collected her data
      When the vendor answers the question "logo"
      Then the vendor states that the participant logo is used as agreed

  @LOG.5
  Rule: The log cannot be changed unnoticed

    @id:ask-log-protection @needs:hook=questions @order:asked
    Scenario: The vendor of a PGO is asked whether the log cannot be changed unnoticed
      Aan de leverancier van het PGO wordt de vraag "ask-log-protection" gesteld.

      Given Roos has collected her data
      When the vendor answers the question "log-protection"
      Then the vendor states that the log cannot be changed unnoticed

  @OVK.7.3
  Rule: The service can be stopped at once when ordered

    @id:ask-suspension @needs:hook=questions @order:asked
    Scenario: The vendor of a PGO is asked whether the service can be stopped at once when ordered
      Aan de leverancier van het PGO wordt de vraag "ask-suspension" gesteld.

      Given Roos has collected her data
      When the vendor answers the question "suspension"
      Then the vendor states that it can stop the service at once when ordered

  @OVK.7.5
  Rule: Everything is ready to leave the network

    @id:ask-exit @needs:hook=questions @order:asked
    Scenario: The vendor of a PGO is asked whether everything is ready to leave the network
      Aan de leverancier van het PGO wordt de vraag "ask-exit" gesteld.

      Given Roos has collected her data
      When the vendor answers the question "exit"
      Then the vendor states that it is ready to leave the network

  @OVK.4.1
  Rule: People know what they enter

    @id:ask-pgo-onboarding @needs:hook=questions @order:asked
    Scenario: The vendor of a PGO is asked whether people are informed before the first use
      Aan de leverancier van het PGO wordt de vraag "ask-pgo-onboarding" gesteld.

      Given Roos has collected her data
      When the vendor answers the question "pgo-onboarding"
      Then the vendor states that people are informed before the first use
