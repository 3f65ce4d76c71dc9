"""One model of a run, and the formats it is shown in."""

from medmij_conformance.report.run import JOURNAL, JournalError, Run, build_run, read_run

__all__ = ["JOURNAL", "JournalError", "Run", "build_run", "read_run"]
