Feature: Nothing without TLS

  Whatever people and gateways exchange goes over TLS.

  @role:dvza @role:dvp @NET.R1
  Rule: All traffic is on one secured network

    @id:no-clear-text
    Scenario: A whole collection goes over TLS
      Een hele verzameling verloopt over TLS.

      When somebody collects her data with an ordinary browser
      Then nothing of all this goes in clear text

  @role:registratie @NET.R1
  Rule: MedMij Registratie gives its lists on that network alone

    @id:lists-without-tls
    Scenario: MedMij Registratie gives no list without TLS
      MedMij Registratie geeft geen lijst zonder TLS.

      When somebody asks for the lists without TLS
      Then there is no list without TLS

  @role:dvza @RFC6819.4.2.1a
  Rule: The authorization server can be known by its certificate

    @id:page-without-tls
    Scenario: The authorization endpoint gives no page without TLS
      Het authorization endpoint geeft geen pagina zonder TLS.

      When somebody asks for the authorization endpoint without TLS
      Then there is no page without TLS

  @role:dvza @RFC6750.5.3c
  Rule: A token goes over TLS

    @id:data-without-tls
    Scenario: The resource endpoint gives nothing without TLS
      Het resource endpoint geeft niets zonder TLS.

      When somebody asks for data without TLS
      Then there is no data without TLS

  @role:dvp @RFC6750.5.3c
  Rule: A token goes to a gateway over TLS

    @id:requests-without-tls
    Scenario: The PGO asks for nothing without TLS
      Het PGO vraagt niets zonder TLS.

      When somebody collects her data with an ordinary browser
      Then no request comes without TLS
