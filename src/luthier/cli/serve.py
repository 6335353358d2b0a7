"""`luthier serve`: the page; and the same beside `luthier tune --page`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click


@click.command()
@click.argument("store", type=click.Path(dir_okay=False), default="luthier.db")
@click.option("--port", type=click.IntRange(0, 65535), help="Default: 8765, or the next one free.")
@click.option(
    "--host", default="127.0.0.1", show_default=True,
    help="Where to listen. Any other than this machine itself lets others in who have the link.",
)  # fmt: skip
@click.option("--viewer-link", is_flag=True, help="Print a second link, for looking only.")
@click.option("--with-parent", is_flag=True, hidden=True)
def serve(store: str, port: int | None, host: str, viewer_link: bool, with_parent: bool) -> None:
    """Show the studies of a store in the browser, live; act on runs from there."""
    from luthier.core.errors import OptionError

    path = Path(store)
    if not path.exists() and not with_parent:
        raise OptionError(f"no store at {store}; give its file, or make one with luthier tune.")
    if path.exists() and not with_parent:
        from luthier.stores.sqlite_file import list_studies

        list_studies(path)  # StoreError where it is no store
    try:
        from luthier.page.server import PageServer
    except ModuleNotFoundError as error:
        raise OptionError(f"the page needs {error.name}; pip install 'luthier[page]'.") from error
    server = PageServer(path, host, port)
    click.echo(f"Luthier shows {path.name} at\n  {server.link('owner')}")
    if viewer_link:
        click.echo(f"for looking only\n  {server.link('viewer')}")
    if not _is_this_machine(host):
        click.echo(
            f"It listens on {host}: whoever can reach this machine and has the link can stop, "
            "change and fork runs.\nWhat is sent is not encrypted; an SSH tunnel "
            f"(ssh -L {server.port}:localhost:{server.port} …) is safer.",
            err=True,
        )
    if not with_parent:
        click.echo("Whoever has the link can act. Ctrl-C ends the page; studies go on.")
    sys.stdout.flush()
    server.run(with_parent=with_parent)


@contextmanager
def page_beside(store: str, *, wanted: bool) -> Iterator[None]:
    """The page in a process of its own for as long as the tuning lasts; its link goes to stderr."""
    if not wanted:
        yield
        return
    import subprocess

    process = subprocess.Popen(
        ["nice", "-n", "10", sys.executable, "-m", "luthier", "serve", store, "--with-parent"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        start_new_session=True,  # Ctrl-C is the tuner's
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        words = process.stdout.readline() + process.stdout.readline()
        if process.poll() is None and words:
            click.echo(f"{words}(until the tuning ends; then: luthier serve {store})", err=True)
        yield
    finally:
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_this_machine(host: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
