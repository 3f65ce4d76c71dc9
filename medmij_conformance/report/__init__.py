"""One model of a run, and the formats it is shown in."""

from medmij_conformance.report.run import EXTRA_JOURNAL, JOURNAL, JournalError, Run, build_run, read_run

__all__ = ["EXTRA_JOURNAL", "JOURNAL", "JournalError", "Run", "build_run", "read_run"]
