@role:dvza @role:dvp
Feature: Certificates of the gateway itself

  What the gateway shows of itself: as a server to people and to other nodes, and as a client of the back channel.

  @NET.2
  Rule: Each gateway has a PKIoverheid server certificate

    @id:own-certificate
    Scenario: The certificates of the gateway are its own, whole and in order
      De certificaten van de gateway zijn van haarzelf, compleet en in orde.

      When the certificates of the gateway are looked at
      Then its certificates lead up to the authority that is trusted
      And its certificates bear the name of the gateway, and no wildcard
      And its certificates serve a server and a client
      And its certificates follow the profile of PKIoverheid

  @NIB.A.10.1.2
  Rule: Key material is renewed every year

    @id:own-certificate-age
    Scenario: The certificates of the gateway are of this year
      De certificaten van de gateway zijn van dit jaar.

      When the certificates of the gateway are looked at
      Then the key material was renewed within the year
