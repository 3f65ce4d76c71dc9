@role:dvza @needs:login=digid
Feature: DigiD

  The harness plays DigiD: what the gateway says to it, and what the gateway makes of its answers, right, awkward, wrong and forged.

  @SAML.1 @SAML.2 @UCI-V.step.4
  Rule: The gateway sends the person to DigiD

    @id:digid-request
    Scenario: Roos comes to DigiD with a right AuthnRequest
      Roos komt bij DigiD met een juist AuthnRequest.

      When Roos is sent to log in
      Then the AuthnRequest is signed with the key of the metadata
      And the AuthnRequest says what DigiD asks for
      And DigiD will send Roos back to the gateway
      And the RelayState is short and tells nothing

    @id:digid-request-ids @order:late
    Scenario: No AuthnRequest can be foretold from the others
      Geen AuthnRequest is uit de andere te voorspellen.

      Given many people were sent to log in
      Then no two AuthnRequests have the same ID, and none can be guessed

  @UCI-V.step.5
  Rule: DigiD asks who she is

    @id:digid-asks
    Scenario: Roos tells DigiD, and nobody else, who she is
      Roos vertelt DigiD, en niemand anders, wie zij is.

      When the PGO sends Roos to the gateway
      Then DigiD itself asks Roos who she is

  @UCI-V.step.7 @SAML.3 @JUR.11
  Rule: The gateway fetches the result from DigiD itself

    @id:digid-resolve
    Scenario: The gateway fetches the result once, signed and with its certificate
      De gateway haalt het resultaat eenmaal op, ondertekend en met zijn certificaat.

      Given Roos is sent to log in
      When Roos logs in
      Then the gateway fetches the result once, from DigiD itself
      And nothing is asked before DigiD has said who she is
      And the ArtifactResolve is signed with the key of the metadata
      And the gateway shows its certificate to DigiD
      And the ArtifactResolve says what DigiD asks for

    @id:digid-proof
    Scenario Outline: DigiD <does this>, and is not spoken to
      Met een DigiD die niet kan bewijzen wie het is, praat de gateway niet.

      Given Roos is sent to log in
      When Roos logs in while DigiD <does this>
      Then a DigiD that cannot prove who it is learns nothing

      Examples:
        | case       | does this                                   |
        | unknown    | shows a certificate that nobody vouches for |
        | other-host | shows the certificate of another host       |

    @id:digid-proof-minted @needs:pki @needs:ocsp
    Scenario Outline: DigiD <does this>, and is not spoken to either
      Met een DigiD waarvan het certificaat niet meer geldt, praat de gateway niet; met een nieuw certificaat wel.

      Given somebody has logged in while DigiD shows a new certificate
      And Roos is sent to log in
      When Roos logs in while DigiD <does this>
      Then a DigiD that cannot prove who it is learns nothing

      Examples:
        | case    | does this                            |
        | expired | shows a certificate that has expired |
        | revoked | shows a certificate that was revoked |

    @id:digid-posted
    Scenario: A signed answer by the browser is no login
      Een ondertekend antwoord via de browser is geen login.

      Given Roos is sent to log in
      When the browser of Roos brings a signed answer in place of an artifact
      Then an answer that the browser brings is no login

  @SAML.6
  Rule: Every collection has a login of its own

    @id:digid-again
    Scenario: A second collection in the same browser goes to DigiD anew
      Een tweede verzameling in dezelfde browser gaat opnieuw naar DigiD.

      Given Roos has come back to the PGO with a code
      When Roos is sent to log in for a second collection
      Then the second collection has an AuthnRequest of its own

  @UCI-V.step.6
  Rule: Only an artifact of this very login lets her in

    @id:digid-stray
    Scenario Outline: DigiD <does this>, and nobody is let in
      Een los artifact leidt nergens heen.

      Given Roos is sent to log in
      When Roos logs in while DigiD <does this>
      Then the stray artifact leads nowhere

      Examples:
        | case    | does this                                                    |
        | none    | sends her back without an artifact                           |
        | garbage | sends her back with garbage for an artifact                  |
        | unknown | sends her back with an artifact that nobody issued           |
        | foreign | sends her back with an artifact of another identity provider |

    @id:digid-used
    Scenario: An artifact works once
      Een artifact werkt een keer.

      Given Roos is sent to log in
      And Roos has logged in
      When Roos opens the address with her artifact once more
      Then the stray artifact leads nowhere

    @id:digid-of-another
    Scenario: The artifact of somebody else lets Roos into nothing
      Het artifact van een ander laat Roos nergens in.

      Given Roos is sent to log in
      When Roos opens the address with the artifact of somebody else
      Then the stray artifact leads nowhere

    @id:digid-awkward
    Scenario Outline: DigiD <does this>, and that is right too
      Een ongewoon maar juist antwoord is een login.

      Given Roos is sent to log in
      When Roos logs in while DigiD <does this>
      Then the awkward answer is as good as another

      Examples:
        | case        | does this                                 |
        | higher      | reached a higher level than was asked     |
        | audiences   | speaks to another audience too            |
        | capitals    | writes the sector in capitals             |
        | fractions   | counts fractions of a second              |
        | words       | adds words to its status                  |
        | prefixes    | uses other prefixes                       |
        | indented    | writes every element on a line of its own |
        | header      | sends a SOAP header along                 |
        | no-prefixes | lists no prefixes in its signature        |
        | lines       | breaks its signature into lines           |

  @SAML.2
  Rule: The RelayState opens no door

    @id:digid-relay-state
    Scenario: The RelayState of another tab leads into no other session
      De RelayState van een ander tabblad leidt niet naar een andere sessie.

      Given Roos has two collections in two tabs of one browser
      When Roos comes back with the RelayState of her other collection
      Then the altered RelayState leads into no other session

    @id:digid-relay-address
    Scenario: An address for a RelayState is not gone to
      Een adres als RelayState wordt niet gevolgd.

      Given Roos has two collections in two tabs of one browser
      When Roos logs in while DigiD sends her back with an address for a RelayState
      Then the altered RelayState leads into no other session

  @SAML.7
  Rule: No success is exception 2

    @id:digid-failed
    Scenario Outline: When DigiD <does this> nobody has logged in
      DigiD meldt dat er niet is ingelogd: uitzondering 2.

      Given Roos is sent to log in
      When Roos logs in while DigiD <does this>
      Then the failed login ends as exception 2

      Examples:
        | case               | does this                                          |
        | cancelled          | reports a cancelled login                          |
        | cancelled-in-words | reports a cancelled login in words                 |
        | level              | reports that the level was not reached             |
        | denied             | denies the request                                 |
        | unheard            | reports a status that nobody knows                 |
        | unknown            | does not know the artifact                         |
        | expired            | has let the artifact expire                        |
        | empty              | answers success without an assertion               |
        | failed-beside      | reports a failed login beside a good assertion     |
        | denied-beside      | denies the ArtifactResolve beside a good assertion |

  @SAML.4
  Rule: Every part of an answer counts

    @id:digid-unfitting
    Scenario Outline: DigiD <does this>, and it does not fit
      Een antwoord dat niet past, is geen login.

      Given Roos is sent to log in
      When Roos logs in while DigiD <does this>
      Then the unfitting answer is refused

      Examples:
        | case             | does this                                            |
        | resolve          | answers another ArtifactResolve                      |
        | no-resolve       | does not say which ArtifactResolve it answers        |
        | request          | answers another AuthnRequest                         |
        | no-request       | does not say which AuthnRequest it answers           |
        | earlier          | answers an earlier AuthnRequest                      |
        | repeated         | repeats the answer to an earlier login               |
        | confirms         | confirms another AuthnRequest                        |
        | confirms-none    | confirms no AuthnRequest                             |
        | recipient        | confirms for another recipient                       |
        | no-recipient     | confirms for no recipient                            |
        | audience         | speaks to another audience                           |
        | issuer-outer     | names another issuer of the ArtifactResponse         |
        | issuer-response  | names another issuer of the Response                 |
        | issuer-assertion | names another issuer of the Assertion                |
        | old-outer        | dates the ArtifactResponse an hour back              |
        | old-response     | dates the Response an hour back                      |
        | old-assertion    | dates the Assertion an hour back                     |
        | new-outer        | dates the ArtifactResponse an hour ahead             |
        | new-response     | dates the Response an hour ahead                     |
        | new-assertion    | dates the Assertion an hour ahead                    |
        | version          | speaks another version of SAML                       |
        | no-id            | gives the assertion no ID                            |
        | expired          | gives an assertion that has expired                  |
        | early            | gives an assertion that is not valid yet             |
        | unconfirmed      | gives a confirmation that has expired                |
        | no-conditions    | leaves out the conditions                            |
        | no-confirmation  | leaves out the subject confirmation                  |
        | other-method     | confirms by a key that nobody shows                  |
        | no-statement     | does not say how she logged in                       |
        | two-assertions   | gives two assertions                                 |
        | encrypted        | gives an encrypted assertion in place of a plain one |

    @id:digid-used-assertion
    Scenario: An assertion is good for one login
      Een assertion is goed voor een login, ook als het artifact nieuw is.

      Given somebody has just logged in
      And Roos is sent to log in
      When Roos logs in while DigiD gives the assertion the ID of the one before
      Then the unfitting answer is refused

    @id:digid-low-level
    Scenario Outline: DigiD <does this>, and that is not enough
      Een te laag niveau is geen login.

      Given Roos is sent to log in
      When Roos logs in while DigiD <does this>
      Then the low level is refused

      Examples:
        | case    | does this                            |
        | lower   | reached a lower level than was asked |
        | unknown | names a level that nobody knows      |
        | none    | names no level                       |

    @id:digid-forged
    Scenario Outline: DigiD <does this>, and is not believed
      Een vervalst antwoord is geen login.

      Given Roos is sent to log in
      When Roos logs in while DigiD <does this>
      Then the forged answer is refused

      Examples:
        | case       | does this                                   |
        | unsigned   | does not sign its answer                    |
        | inner-only | signs the assertion alone                   |
        | outer-only | does not sign the assertion                 |
        | other-key  | signs with a key of its own making          |
        | altered    | alters the number after it was signed       |
        | hmac       | signs with its public key for a secret      |
        | empty      | signs nothing in particular                 |
        | twice      | signs twice in one signature                |
        | moved      | lets the outer signature sign the assertion |
        | xslt       | signs with a transformation by XSLT         |
        | same-id    | gives two elements the same ID              |

    @id:digid-sha-1
    Scenario: A signature with SHA-1 does not count
      Een handtekening met SHA-1 telt niet.

      Given Roos is sent to log in
      When Roos logs in while DigiD signs with SHA-1
      Then the weak signature does not count

    @id:digid-wrapped
    Scenario Outline: DigiD <does this>, and it is noticed
      Een antwoord dat om het ondertekende heen is gebouwd, is geen login.

      Given Roos is sent to log in
      When Roos logs in while DigiD <does this>
      Then the wrapped answer is refused

      Examples:
        | case | does this                                                                    |
        | H1   | hides the signed answer in the signature of a forged one                     |
        | H2   | puts the signed answer before its signature in a forged one                  |
        | H3   | puts a forged assertion before the signed one                                |
        | H4   | puts the signed assertion into a forged one                                  |
        | H5   | lets a forged assertion bear the signature of the one after it               |
        | H6   | hides the signed assertion in the signature of a forged one                  |
        | H7   | puts the signed assertion among the extensions and a forged one in its place |
        | H8   | puts the signed assertion into an object of the signature of a forged one    |
        | H9   | puts the signed answer into the SOAP header and a forged one into the body   |
        | H10  | puts a forged answer before the signed one in the SOAP body                  |

    @id:digid-broken
    Scenario Outline: DigiD <does this>, and the person is not left alone
      Geen bruikbaar antwoord is geen login.

      Given Roos is sent to log in
      When Roos logs in while DigiD <does this>
      Then no answer is no login

      Examples:
        | case     | does this                                     |
        | 404      | answers the ArtifactResolve with status 404   |
        | 500      | answers the ArtifactResolve with status 500   |
        | nothing  | answers the ArtifactResolve with nothing      |
        | web-page | answers the ArtifactResolve with a web page   |
        | garbage  | answers the ArtifactResolve with garbage      |
        | fault    | answers the ArtifactResolve with a SOAP fault |
        | cut      | cuts the connection of the ArtifactResolve    |
        | bomb     | defines an entity that grows without end      |
        | flood    | sends five million octets                     |
        | deep     | nests a hundred thousand elements             |

    @id:digid-silent @plan:full-real
    Scenario: DigiD says nothing, and the person hears of it within a minute
      Zwijgt DigiD, dan hoort de persoon dat binnen een minuut.

      Given Roos is sent to log in
      When Roos logs in, and waits a minute if need be, while DigiD says nothing for more than a minute
      Then no answer is no login

    @id:digid-hostile
    Scenario Outline: DigiD <does this>, and nobody is called
      De gateway doet niet wat een vijandig antwoord hem ingeeft.

      Given Roos is sent to log in
      When Roos logs in while DigiD <does this>
      Then no answer is no login
      And the gateway calls nobody because an answer says so

      Examples:
        | case     | does this                               |
        | entity   | points to a file by an external entity  |
        | redirect | sends the ArtifactResolve elsewhere     |
        | xslt     | signs with a transformation by XSLT     |

  @SAML.5
  Rule: Only a BSN names a person

    @id:digid-nobody
    Scenario Outline: DigiD <does this>, and names nobody
      Wie niet met een BSN is genoemd, is niemand.

      Given Roos is sent to log in
      When Roos logs in while DigiD <does this>
      Then who is not named by a BSN is nobody

      Examples:
        | case      | does this                            |
        | sofi      | gives a SOFI number                  |
        | sector    | names an unknown sector              |
        | no-sector | gives a name without a sector        |
        | empty     | gives an empty name                  |
        | no-name   | gives no name                        |
        | no-number | gives a sector without a number      |
        | elfproef  | gives a number that is no BSN        |
        | short     | gives a number with a digit too few  |
        | long      | gives a number with a digit too many |
        | letters   | gives letters for a number           |
        | comment   | hides a digit behind a comment       |
        | two-names | gives two names                      |
