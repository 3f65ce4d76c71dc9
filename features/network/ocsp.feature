@role:dvza @role:dvp @role:registratie
Feature: OCSP

  At the start of each session the authority of the other node's certificate is asked about it, by OCSP; without a good answer there is no
  session. Each certificate is new, so that nobody can know its status, and the responder keeps count of who asks.

  @RFC6960.a
  Rule: The authority is asked at the start of each session

    @id:ocsp-asked @needs:pki @needs:ocsp
    Scenario: The authority is asked about a certificate that was never met
      De CA wordt bevraagd over een certificaat dat nooit eerder is gezien.

      When a node of ours shows a certificate of which the responder says that it is good
      Then the authority is asked about the certificate

    @id:ocsp-noticed @needs:pki @needs:ocsp
    Scenario: A revocation is noticed at the next session after the good answer has run out
      Een intrekking wordt opgemerkt bij de eerste sessie nadat het goede antwoord is verlopen.

      Given a node of ours has shown a certificate whose good answer has run out
      When it was revoked since, and is shown again
      Then the revocation is noticed once the good answer has run out

  @RFC6960.b
  Rule: A good answer is a good answer in whatever form

    @id:ocsp-good @needs:pki @needs:ocsp
    Scenario Outline: A good answer opens a session when the responder <manner>
      Een goed antwoord in een andere vorm opent ook een sessie.

      When a node of ours shows a certificate of which the responder <manner>
      Then the good answer in another form opens a session

      Examples:
        | manner                          |
        | signs the answer itself         |
        | gives an answer without a nonce |

  @RFC6960.c
  Rule: Revoked is refused

    @id:ocsp-revoked @needs:pki @needs:ocsp
    Scenario Outline: There is no session when the responder <manner>
      Een ingetrokken certificaat opent geen sessie.

      When a node of ours shows a certificate of which the responder <manner>
      Then the revoked certificate opens no session

      Examples:
        | manner                   |
        | says that it was revoked |

  @RFC6960.d
  Rule: Unknown is refused

    @id:ocsp-unknown @needs:pki @needs:ocsp
    Scenario Outline: There is no session either when the responder <manner>
      Een certificaat dat de CA niet kent, opent geen sessie.

      When a node of ours shows a certificate of which the responder <manner>
      Then the certificate that its authority does not know opens no session

      Examples:
        | manner                        |
        | says that it does not know it |

  @RFC6960.e
  Rule: No answer is refused

    @id:ocsp-no-answer @needs:pki @needs:ocsp
    Scenario Outline: Without an answer that says anything, when the responder <manner>, there is no session
      Zonder antwoord is er geen sessie.

      When a node of ours shows a certificate of which the responder <manner>
      Then without an answer there is no session

      Examples:
        | manner                              |
        | asks to try later                   |
        | reports an internal error           |
        | says that nobody may ask            |
        | says that the question is malformed |
        | answers with status 500             |
        | answers with a web page             |
        | hangs up                            |
        | says nothing                        |

    @id:ocsp-nobody-to-ask @needs:pki @needs:ocsp
    Scenario: Without a responder that could be asked there is no session
      Zonder responder om te bevragen is er geen sessie.

      When a node of ours shows a certificate that names no responder
      Then without an answer there is no session

  @RFC6960.f
  Rule: The answer is that of the authority, about this certificate

    @id:ocsp-not-authentic @needs:pki @needs:ocsp
    Scenario Outline: What is not the authority's answer, when the responder <manner>, opens no session
      Een antwoord dat niet van de CA is, of niet over dit certificaat gaat, opent geen sessie.

      When a node of ours shows a certificate of which the responder <manner>
      Then the answer of somebody else opens no session

      Examples:
        | manner                                                  |
        | gives an answer with a broken signature                 |
        | lets a stranger sign the answer                         |
        | lets a certificate without that right sign the answer   |
        | lets a responder sign whose own certificate has expired |
        | answers about another certificate                       |
        | gives an answer with the nonce of another question      |

  @RFC6960.g
  Rule: The answer is current

    @id:ocsp-not-current @needs:pki @needs:ocsp
    Scenario Outline: What is not of now, when the responder <manner>, opens no session
      Een antwoord dat niet actueel is, opent geen sessie.

      When a node of ours shows a certificate of which the responder <manner>
      Then the answer that is not current opens no session

      Examples:
        | manner                                   |
        | gives an answer that ran out an hour ago |
        | gives an answer of tomorrow              |
