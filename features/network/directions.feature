@needs:pki
Feature: Certificates that are for the other direction

  The PKIoverheid certificate of a gateway serves it as a server and as a client.

  @role:dvza @role:registratie @NIB.A.10.1.1c
  Rule: A client shows a certificate for clients

    @id:servers-only
    Scenario: A client whose certificate is for servers only opens no session
      Een client met een certificaat alleen voor servers opent geen sessie.

      When a node of ours shows a certificate that is for servers only
      Then the certificate for another use opens no session

  @role:dvza @role:registratie @NET.5a @NET.5b
  Rule: The name of a client that stands on the Whitelist is one of its names, letter by letter

    @id:wildcard-client
    Scenario: A client whose certificate is for every node of a domain opens no session
      Een client met een wildcardcertificaat opent geen sessie.

      When a node of ours shows a certificate that bears a wildcard
      Then the certificate of another node opens no session

  @role:dvp @NIB.A.10.1.1c
  Rule: A server shows a certificate for servers

    @id:clients-only
    Scenario: A server whose certificate is for clients only gets no request
      Een server met een certificaat alleen voor clients krijgt geen verzoek.

      When a node of ours shows a certificate that is for clients only
      Then the certificate for another use opens no session

  @role:dvp @RFC6750.5.3b @RFC6819.4.2.1a
  Rule: The resource server is validated as the authorization server is

    @id:resource-server
    Scenario Outline: A resource server with a certificate that <defect> is asked for nothing
      Een resource server met een certificaat dat niet deugt, wordt niets gevraagd.

      When from the token on the ZA gateway shows a certificate that <defect>
      Then no data is asked for over the session

      Examples:
        | defect                                    |
        | comes from an authority that nobody knows |
        | has expired                               |
        | bears the name of a node on no list       |
