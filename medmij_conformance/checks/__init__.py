"""The judges: pure functions, evidence in, findings out. Importing this package fills ``verdict.REGISTRY``."""

from medmij_conformance.checks import authorization, consent, exceptions, lifetimes, logging, resource, token

__all__ = ["authorization", "consent", "exceptions", "lifetimes", "logging", "resource", "token"]
