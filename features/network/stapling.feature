@role:dvp @needs:pki @needs:ocsp
Feature: OCSP answers in the handshake

  A server may send the answer of its authority along in the handshake, to clients that want it (stapling). Such an answer is worth as
  much as one that was asked for: a good one opens a session, also when nobody is asked then; anything else does not. The responder, if
  it is asked after all, says the same.

  @RFC6960.b
  Rule: A good answer is a good answer, whoever brings it

    @id:staple-good
    Scenario Outline: A good answer that the ZA gateway sends along opens a session when the responder <manner>
      Een goed antwoord dat de ZA Gateway meestuurt, opent een sessie.

      When the ZA gateway sends along in its handshake what the responder <manner>
      Then the good answer in another form opens a session

      Examples:
        | manner               |
        | says that it is good |

  @RFC6960.c
  Rule: Revoked is revoked, whoever brings it

    @id:staple-revoked
    Scenario Outline: There is no session when the ZA gateway sends along that the responder <manner>
      Een meegestuurd antwoord dat het certificaat is ingetrokken, opent geen sessie.

      When the ZA gateway sends along in its handshake what the responder <manner>
      Then the revoked certificate opens no session

      Examples:
        | manner                   |
        | says that it was revoked |

  @RFC6960.f
  Rule: The answer that comes along is that of the authority, about this certificate

    @id:staple-not-authentic
    Scenario Outline: What comes along in the handshake when the responder <manner> opens no session
      Een meegestuurd antwoord dat niet van de CA is, of niet over dit certificaat gaat, opent geen sessie.

      When the ZA gateway sends along in its handshake what the responder <manner>
      Then the answer of somebody else opens no session

      Examples:
        | manner                            |
        | lets a stranger sign the answer   |
        | answers about another certificate |

  @RFC6960.g
  Rule: The answer that comes along is current

    @id:staple-not-current
    Scenario Outline: An answer in the handshake that is not of now, because the responder <manner>, opens no session
      Een meegestuurd antwoord dat niet actueel is, opent geen sessie.

      When the ZA gateway sends along in its handshake what the responder <manner>
      Then the answer that is not current opens no session

      Examples:
        | manner                                   |
        | gives an answer that ran out an hour ago |
