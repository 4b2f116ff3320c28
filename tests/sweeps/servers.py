"""Servers of databases of our own, reached through sockets in folders of their own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url


def server_folder(user: str) -> tuple[Path, list[str]]:
    """A folder for a server, and what to put before its commands: as root it runs as another user."""
    folder = Path(tempfile.mkdtemp(prefix=user[:2]))
    if os.geteuid() != 0:
        return folder, []
    try:
        owner = pwd.getpwnam(user)
    except KeyError:
        pytest.skip(f"the server does not run as root, and there is no user {user}")
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    return folder, ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]


@contextlib.contextmanager
def running_postgres() -> Iterator[str]:
    """The address of a PostgreSQL server."""
    folders = [str(path) for path in Path("/usr/lib/postgresql").glob("*/bin")]
    search = os.pathsep.join([*folders, os.environ.get("PATH", "")])
    initdb, server = shutil.which("initdb", path=search), shutil.which("pg_ctl", path=search)
    if initdb is None or server is None:
        pytest.skip("needs PostgreSQL's own programs (Debian's package postgresql)")
    folder, become = server_folder("postgres")
    quiet = {"stdout": subprocess.DEVNULL, "check": True, "cwd": folder, "timeout": 60}
    data = f"{folder}/data"
    subprocess.run([*become, initdb, "-D", data, "-U", "ada", "--auth=trust", "--no-sync"], **quiet)  # type: ignore[call-overload]
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    start = [*become, server, "-D", data, "-o", options, "-l", f"{folder}/log", "-w", "start"]
    subprocess.run(start, **quiet)  # type: ignore[call-overload]
    try:
        yield f"postgresql://ada@/postgres?host={folder}"
    finally:
        subprocess.run([*become, server, "-D", data, "-m", "immediate", "stop"], **quiet)  # type: ignore[call-overload]
        shutil.rmtree(folder)


@contextlib.contextmanager
def running_mariadb() -> Iterator[str]:
    """The address of a MariaDB server, as that of a MySQL one."""
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    install, server = shutil.which("mariadb-install-db", path=search), shutil.which("mariadbd", path=search)
    if install is None or server is None:
        pytest.skip("needs MariaDB's own programs (Debian's package mariadb-server)")
    folder, become = server_folder("mysql")
    place = ["--no-defaults", f"--datadir={folder}/data"]
    make = [*become, install, *place, "--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(make, stdout=subprocess.DEVNULL, check=True, cwd=folder, timeout=60)
    options = [f"--socket={folder}/socket", f"--pid-file={folder}/pid", "--skip-networking"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*become, server, *place, *options, "--innodb-flush-log-at-trx-commit=0"],
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    try:
        latest = time.monotonic() + 60
        while not (folder / "socket").exists():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < latest, (folder / "log").read_text()
            time.sleep(0.05)
        yield f"mysql://root@localhost/mysql?unix_socket={folder}/socket"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def fresh_database(url: str, name: str) -> str:
    """The address of a new database of a server."""
    server = make_url(url)
    driver = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}[server.drivername]
    engine = create_engine(server.set(drivername=driver), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)
