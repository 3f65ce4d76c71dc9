"""The fixtures of the features: the players, and the facts that checks ask for by name, one module for each kind of feature."""
