@role:dvza @role:dvp @role:registratie
Feature: Certificates of the other node

  Which certificates open a session on the back channel: as a client towards a ZA gateway, as a server towards a PGO gateway. Each of
  them is minted for the occasion and has one defect; it counts only beside a good one that was minted in the same way.

  @RFC6960.b
  Rule: A certificate that is in order opens a session

    @id:good-certificate @control:first @needs:pki
    Scenario: A certificate that was minted for the occasion opens a session
      Een certificaat dat voor de gelegenheid is gemaakt, opent een sessie.

      When a node of ours shows a good certificate
      Then the good certificate opens a session

    @id:good-certificate-at-the-end @control:last @needs:pki
    Scenario: At the end a certificate that was minted for the occasion still opens a session
      Aan het eind opent zo'n certificaat nog steeds een sessie.

      When a node of ours shows a good certificate
      Then the good certificate opens a session

  @NET.4
  Rule: An organisation may have several certificates

    @id:renewed-certificate @needs:pki
    Scenario: A node that has renewed its certificate is known by both
      Een node die haar certificaat heeft vernieuwd, wordt aan beide herkend.

      When a node of ours shows a second certificate of the same name, with another key
      Then the renewed certificate opens a session as well

  @NET.2
  Rule: What is unusual and in order is accepted

    @id:unusual-certificate @needs:pki
    Scenario Outline: A certificate that <peculiarity> opens a session
      Een certificaat dat ongewoon is en in orde, opent een sessie.

      When a node of ours shows a certificate that <peculiarity>
      Then the unusual certificate opens a session

      Examples:
        | peculiarity                                               |
        | bears the node's name in capitals                         |
        | bears the name of a node on no list before the node's own |
        | does not limit its use                                    |
        | has no number of the organisation                         |
        | comes from an authority below the usual one               |
        | has an RSA key                                            |

  @APP.14 @NIB.A.10.1.1c
  Rule: A certificate that is not valid opens no session

    @id:invalid-certificate @needs:pki
    Scenario Outline: A certificate that <defect> opens no session
      Een certificaat dat niet geldig is, opent geen sessie.

      When a node of ours shows a certificate that <defect>
      Then the invalid certificate opens no session

      Examples:
        | defect                                                                 |
        | has expired                                                            |
        | is not valid yet                                                       |
        | vouches for itself                                                     |
        | comes from an authority with the same names and other keys             |
        | comes from an authority that nobody knows                              |
        | has a broken signature                                                 |
        | was issued by a node                                                   |
        | was issued by an authority that has expired                            |
        | was issued by an authority that is not valid yet                       |
        | was issued by an authority that may not sign certificates              |
        | was issued by an authority that does not say that it is one            |
        | has more authorities above it than they allow                          |
        | bears a name that its authority may not give                           |
        | has a critical extension that nobody knows                             |
        | was issued by an authority with a critical extension that nobody knows |

  @NIB.A.10.1.1c
  Rule: A certificate that is for something else opens no session

    @id:other-use @needs:pki
    Scenario Outline: A certificate with another use that <defect> opens no session
      Een certificaat of een sleutel voor iets anders opent geen sessie.

      When a node of ours shows a certificate that <defect>
      Then the certificate for another use opens no session

      Examples:
        | defect                                  |
        | is for mail only                        |
        | is for signing programs only            |
        | is for OCSP answers only                |
        | has a key for signing certificates only |
        | has a key for signing documents only    |
        | is that of an authority                 |
        | has a key of 1024 bits                  |
