"""The command `luthier`: errors become messages here, never tracebacks of ours."""

import io
import os
import sys


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without arrows shows "?"
    # the tuner's own linear algebra is small: threads would take cores from the runs
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from luthier.cli import luthier
    from luthier.core.errors import LuthierError

    try:
        luthier(prog_name="luthier")
    except LuthierError as error:
        if trace := getattr(error, "trace", ""):
            print(trace, file=sys.stderr)
        print(f"luthier: {error}  (luthier explain {error.code})", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
