"""The judges: pure functions, evidence in, findings out. Importing this package fills ``verdict.REGISTRY``."""

from medmij_conformance.checks import flow

__all__ = ["flow"]
