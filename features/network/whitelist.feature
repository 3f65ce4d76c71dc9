Feature: Whitelist

  Who is spoken to: nodes whose name stands on the newest Whitelist, and no others.

  @role:dvza @role:dvp @role:registratie @NET.5a @NET.5b
  Rule: The name in the certificate is that of the node

    @id:other-node @needs:pki
    Scenario Outline: A certificate that <name> opens no session
      Een certificaat van een andere node opent geen sessie.

      When a node of ours shows a certificate that <name>
      Then the certificate of another node opens no session

      Examples:
        | name                                                       |
        | bears the name of a node on no list                        |
        | bears a name below that of the node                        |
        | bears the name of the domain above the node                |
        | bears a name that begins with that of the node             |
        | bears a name that ends with that of the node               |
        | bears the node's name up to a NUL                          |
        | bears an IP address                                        |
        | bears the node's name in its subject and another beside it |
        | bears the node's name in its subject alone                 |
        | bears the node's name as an address of a page              |

  @role:dvza @NET.5a
  Rule: The newest list counts

    @id:taken-off @needs:pki @needs:hook=reload_lists
    Scenario: A node that was taken off the Whitelist opens no session
      Een node die van de Whitelist is gehaald, opent geen sessie meer.

      Given the node is taken off the Whitelist
      When a node of ours shows a certificate that has a key of its own
      Then the node that was taken off the list opens no session

    @id:no-whitelist @plan:watch-fetching @needs:pki @needs:hook=reload_lists
    Scenario: When there is no Whitelist nobody opens a session
      Als er geen Whitelist is, opent niemand een sessie.

      Given the gateway is told of new lists, and there is no Whitelist among them
      When a node of ours shows a certificate that has a key of its own
      Then without a list there is no session

  @role:dvp @NET.5b @UCI-WL.1
  Rule: Who is called stands on the newest list

    @id:unlisted-za @needs:hook=reload_lists
    Scenario: A ZA gateway that was taken off the Whitelist gets no code and no token
      Een ZA Gateway die van de Whitelist is gehaald, krijgt geen code en geen token.

      Given the node is taken off the Whitelist
      When Roos collects her data
      Then nothing is sent to the node that is on no list

  @role:dvza @role:dvp @NET.5c
  Rule: People need no certificate

    @id:ordinary-browser
    Scenario: An ordinary browser goes through all pages
      Een gewone browser kan door alle pagina's.

      When somebody collects her data with an ordinary browser
      Then no page asks the browser for a certificate
