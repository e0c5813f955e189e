"""The one exception of the suite: its text is a sentence for the person at the terminal, and says what to do."""


class SuiteError(Exception):
    """Something the user can mend. The command line prints its text alone, without a traceback."""
