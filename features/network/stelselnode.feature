@role:dvza @role:dvp @needs:pki @needs:lists=listen @needs:hook=reload_lists
Feature: The certificate of MedMij Registratie

  When it fetches its lists a gateway is the client, of a ZA gateway the only time. It judges the certificate of MedMij Registratie as it
  does that of any node, its place on the Whitelist apart (AMB.53).

  @APP.14 @NIB.A.10.1.1c
  Rule: A certificate that is not valid opens no session

    @id:lists-invalid-certificate
    Scenario: MedMij Registratie with a certificate of a strange authority is asked for no list
      Een MedMij Registratie met een certificaat van een vreemde CA wordt niet om een lijst gevraagd.

      Given the gateway was seen at work
      When MedMij Registratie shows a certificate that comes from an authority that nobody knows
      Then the invalid certificate opens no session

  @UCI-WL.1
  Rule: MedMij Registratie is known by its name

    @id:lists-other-node
    Scenario: Another node in the place of MedMij Registratie is asked for no list
      Een andere node in de plaats van MedMij Registratie wordt niet om een lijst gevraagd.

      Given the gateway was seen at work
      When MedMij Registratie shows a certificate that bears the name of a node on no list
      Then no list is asked of another node

  @RFC6960.c
  Rule: Revoked is refused

    @id:lists-revoked @needs:ocsp
    Scenario: MedMij Registratie with a certificate that was revoked is asked for no list
      Een MedMij Registratie met een ingetrokken certificaat wordt niet om een lijst gevraagd.

      Given the gateway was seen at work
      When MedMij Registratie shows a certificate of which the responder says that it was revoked
      Then the revoked certificate opens no session

  @RFC6960.e
  Rule: No answer is refused

    @id:lists-no-answer @needs:ocsp
    Scenario: MedMij Registratie is asked for no list when nobody answers for its certificate
      Zonder antwoord van de CA wordt MedMij Registratie niet om een lijst gevraagd.

      Given the gateway was seen at work
      When MedMij Registratie shows a certificate of which the responder asks to try later
      Then without an answer there is no session
