@role:dvp
Feature: UCI Verzamelen, from the first click to the dossier

  The whole happy flow of a PGO gateway. It also opens and closes every run: that something was not done counts only when the
  same collection without its defect was carried out before it and after it.

  @BEG.pgo @APP.1 @GRD.P1 @UCI-V.step.2 @UCI-V.step.12 @UCI-V.step.14
  Rule: A person collects her data in one uninterrupted flow

    @id:collect @control:first
    Scenario: Roos collects her data with the PGO
      Roos verzamelt haar gegevens met het PGO.

      When Roos collects her data
      Then the PGO sends the browser to the address of the ZAL
      And the authorization request has each of its parameters once
      And the authorization request asks for a code
      And the PGO names itself by its node name
      And the redirect URI is a full https address of the PGO
      And the scope is the one data service that was chosen
      And nothing in the authorization request tells who the person is
      And the authorization request holds no BSN
      And her own browser opens the authorization endpoint, and nobody else
      And the code is redeemed by a POST of a form
      And the token request goes to the address of the ZAL
      And the token request has each of its parameters once, with the right values
      And the PGO shows no other proof of who it is than its certificate
      And the PGO shows its own certificate to the gateway
      And the gateway itself redeems the code and asks for the data
      And the data is asked for at the address of the ZAL
      And the token is sent in the header
      And the token is sent in the header alone
      And no FHIR request says whose data it asks for
      And the BSN of the person is nowhere between the gateways
      And the PGO only reads
      And the browser never sees the token
      And no cookie of the PGO holds a code or a token
      And the address of the last page holds no code
      And the data is collected and Roos is told so

  @BEG.pgo
  Rule: The gateway still works after everything that went wrong

    @id:collect-at-the-end @control:last
    Scenario: At the end Roos still collects
      Aan het eind verzamelt Roos nog steeds.

      When Roos collects her data
      Then the data is collected and Roos is told so

  @OVK.2.6
  Rule: A PGO gateway is no ZA gateway

    @id:no-za-services
    Scenario: The host of the PGO offers nothing that a ZA gateway offers
      De host van het PGO biedt geen diensten van een ZA-gateway aan.

      Given Roos has collected her data
      When somebody asks the host of the PGO for the services of a ZA gateway
      Then the PGO offers no service of a ZA gateway
