"""The sentences of the features; the subject of a sentence is the module that holds it."""
