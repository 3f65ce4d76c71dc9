@role:registratie
Feature: UCI Opvragen ZAL and Whitelist, for those who take part

  MedMij Registratie gives its lists to the nodes of the network, and to nobody else.

  @APP.R4 @P&I.14 @REL.3 @UCI-ZAL.1 @APP.17
  Rule: A PGO gateway gets the ZAL

    @id:zal @control:first
    Scenario: The PGO gateway gets the ZAL
      Een PGO-gateway krijgt de Zorgaanbiederslijst.

      When the PGO gateway asks for the ZAL
      Then the ZAL is given

    @id:zal-at-the-end @control:last
    Scenario: At the end the PGO gateway still gets the ZAL
      Aan het eind krijgt een PGO-gateway de Zorgaanbiederslijst nog steeds.

      When the PGO gateway asks for the ZAL
      Then the ZAL is given

  @P&I.18 @UCI-WL.1 @APP.20
  Rule: Every gateway gets the Whitelist

    @id:whitelist @control:first
    Scenario: The PGO gateway gets the Whitelist
      Een PGO-gateway krijgt de Whitelist.

      When the PGO gateway asks for the Whitelist
      Then the Whitelist is given

    @id:whitelist-za @needs:node=other
    Scenario: The ZA gateway gets the Whitelist
      Een ZA-gateway krijgt de Whitelist ook.

      When the ZA gateway asks for the Whitelist
      Then the Whitelist is given to the ZA gateway too

    @id:whitelist-at-the-end @control:last
    Scenario: At the end the PGO gateway still gets the Whitelist
      Aan het eind krijgt een PGO-gateway de Whitelist nog steeds.

      When the PGO gateway asks for the Whitelist
      Then the Whitelist is given

  @NIB.A.10.1.1c
  Rule: Both sides of the connection show a certificate

    @id:zal-nobody
    Scenario: Nobody gets the ZAL without a certificate
      Zonder certificaat krijgt niemand de Zorgaanbiederslijst.

      When somebody without a certificate asks for the ZAL
      Then nobody gets the ZAL without a good certificate

    @id:whitelist-nobody
    Scenario: Nobody gets the Whitelist without a certificate
      Zonder certificaat krijgt niemand de Whitelist.

      When somebody without a certificate asks for the Whitelist
      Then nobody gets the Whitelist without a good certificate

    @id:zal-forged
    Scenario: Nobody gets the ZAL with a certificate of another authority
      Met een certificaat van een andere autoriteit krijgt niemand de Zorgaanbiederslijst.

      When somebody with a certificate of another authority asks for the ZAL
      Then nobody gets the ZAL without a good certificate

    @id:whitelist-forged
    Scenario: Nobody gets the Whitelist with a certificate of another authority
      Met een certificaat van een andere autoriteit krijgt niemand de Whitelist.

      When somebody with a certificate of another authority asks for the Whitelist
      Then nobody gets the Whitelist without a good certificate

  @NET.5a
  Rule: Only nodes on the Whitelist are served

    @id:zal-unlisted @needs:node=unlisted
    Scenario: A node on no list gets no ZAL
      Een node die op geen lijst staat krijgt de Zorgaanbiederslijst niet.

      When an unlisted node asks for the ZAL
      Then the node on no list gets no ZAL

    @id:whitelist-unlisted @needs:node=unlisted
    Scenario: A node on no list gets no Whitelist
      Een node die op geen lijst staat krijgt de Whitelist niet.

      When an unlisted node asks for the Whitelist
      Then the node on no list gets no Whitelist
