"""The database of a study: made once, by whoever comes first, and locked while something is decided.

Optuna's tables have a first-use race, and nothing in them keeps two processes from drawing one trial too many. Both
are settled by a lock that belongs to the database: a file beside an SQLite file, an advisory lock of the server
otherwise. The system or the server frees it when its holder dies. In a store that cannot be written a study is shown
without either.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import warnings
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import optuna
from filelock import Timeout
from optuna.storages import BaseStorage
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from atinuke_bench.errors import ConfigError, MissingDependencyError, StorageError, one_line
from atinuke_bench.files import make_folder
from atinuke_bench.locks import held
from atinuke_bench.secrets import shown_url

#: How long a process waits for another one's lock before it gives up; drawing a trial takes milliseconds.
LOCK_SECONDS = 120.0
CONNECT_SECONDS = 10


class Storage:
    """An open study database. `url` has no secrets, for messages and files."""

    def __init__(self, url: str) -> None:
        """Connect, and make the tables where they are missing; StorageError, ConfigError or MissingDependencyError."""
        parsed = _parse(url)
        self.url = _shown(parsed)
        is_file = parsed.get_backend_name() == "sqlite"
        #: Whether the database is a file in a folder that cannot be written: nothing of it is changed or locked then.
        self.is_read_only = is_file and _is_read_only(Path(parsed.database or ""))
        self._lock = _NoLock() if self.is_read_only else _FileLock(parsed) if is_file else _ServerLock(parsed)
        with self.errors(), self._lock.held():
            self.optuna: BaseStorage = _open(parsed, is_read_only=self.is_read_only)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep everybody else from changing studies of this database meanwhile. May be nested."""
        with self.errors(), self._lock.held():
            yield

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Turn every refusal of the database into a one-line StorageError."""
        try:
            yield
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            raise StorageError(f"study database {self.url}: {_cause(error)}") from error
        except json.JSONDecodeError as error:
            # Optuna keeps values as JSON, and reads them as if nobody had touched them.
            raise StorageError(f"study database {self.url}: damaged, a value in it is not JSON ({error})") from error
        except Timeout as error:
            raise StorageError(f"study database {self.url}: locked for more than {LOCK_SECONDS:.0f} s") from error
        except RuntimeError as error:
            # Optuna's answer to tables of another version.
            if "optuna" not in str(error):
                raise
            raise StorageError(f"study database {self.url}: {one_line(error)}") from error

    def close(self) -> None:
        self._lock.close()
        with contextlib.suppress(Exception):
            self.optuna.remove_session()
            self.optuna._backend.engine.dispose()  # type: ignore[attr-defined]


def without_password(url: str) -> str:
    """
    >>> without_password("postgresql://ada:secret@host/studies")
    'postgresql+psycopg://ada:***@host/studies'
    """
    return _shown(_parse(url))


def _shown(url: URL) -> str:
    # Which driver of MySQL is installed is a matter of each machine.
    common = url.set(drivername="mysql") if url.get_backend_name() == "mysql" else url
    return shown_url(common.render_as_string(hide_password=False))


class _NoLock:
    """Who only reads keeps nobody from writing: SQLite itself lets a reader see whole transactions alone."""

    def held(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def close(self) -> None:
        pass


class _Lock:
    """A lock that who holds it may hold once more meanwhile."""

    def __init__(self) -> None:
        self._depth = 0

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        if self._depth == 0:
            self._take()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._free()

    def close(self) -> None:
        pass

    def _take(self) -> None:
        raise NotImplementedError

    def _free(self) -> None:
        raise NotImplementedError


class _FileLock(_Lock):
    def __init__(self, url: URL) -> None:
        super().__init__()
        path = Path(url.database or "")
        make_folder(path.parent)
        self._path = Path(f"{path}.lock")
        self._file = contextlib.ExitStack()

    def _take(self) -> None:
        self._file.enter_context(held(self._path, LOCK_SECONDS))

    def _free(self) -> None:
        self._file.close()


class _ServerLock(_Lock):
    """An advisory lock of a PostgreSQL or MySQL server, held by a separate connection."""

    def __init__(self, url: URL) -> None:
        super().__init__()
        self._engine = _engine(url)
        self._name = f"atinuke-bench/{url.database}"
        self._is_postgresql = url.get_backend_name() == "postgresql"
        self._connection: Connection | None = None

    def close(self) -> None:
        self._engine.dispose()

    def _take(self) -> None:
        self._connection = self._engine.connect()
        try:
            if self._is_postgresql:
                self._connection.execute(text(f"SET lock_timeout = {int(LOCK_SECONDS * 1000)}"))
                self._connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _key(self._name)})
            else:
                got = self._connection.execute(
                    text("SELECT GET_LOCK(:name, :seconds)"), {"name": self._name[:64], "seconds": LOCK_SECONDS}
                ).scalar()
                if got != 1:
                    raise Timeout(self._name)
            self._connection.commit()
        except BaseException:
            self._connection.close()
            raise

    def _free(self) -> None:
        assert self._connection is not None
        release = "SELECT pg_advisory_unlock_all()" if self._is_postgresql else "SELECT RELEASE_ALL_LOCKS()"
        with self._connection as connection:
            connection.execute(text(release))
            connection.commit()
        self._connection = None


def _parse(url: str) -> URL:
    example = "such as sqlite:////folder/study.db or postgresql://user@host/database"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ConfigError(f"--storage takes a database URL {example}; found {shown_url(url)!r}") from error
    if parsed.get_backend_name() not in ("sqlite", "postgresql", "mysql", "mariadb"):
        raise ConfigError(
            f"--storage takes SQLite, PostgreSQL or MySQL; found {parsed.get_backend_name()!r}, {example}"
        )
    if "@" in (parsed.host or ""):
        raise ConfigError(f"--storage: an '@' in a password is written %40; found {shown_url(url)!r}")
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "mariadb":  # which Optuna knows as MySQL
        parsed = parsed.set(drivername=parsed.drivername.replace("mariadb", "mysql", 1))
    if parsed.drivername == "mysql" and find_spec("MySQLdb") is None:
        parsed = parsed.set(drivername="mysql+pymysql")
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ConfigError(f"--storage: an SQLite study is a file, {example}; found {shown_url(url)!r}")
    return parsed


def _arguments(url: URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": LOCK_SECONDS}}
    # A server may have dropped a connection that was idle while trials trained.
    return {"connect_args": {"connect_timeout": CONNECT_SECONDS}, "pool_pre_ping": True}


def _engine(url: URL) -> Any:
    try:
        return create_engine(url, **_arguments(url))
    except ImportError as error:
        raise MissingDependencyError(
            f"a study on {url.get_backend_name()} needs the package {error.name!r}, not installed; "
            "pip install 'psycopg[binary]' serves PostgreSQL, pip install 'pymysql[rsa]' MySQL and MariaDB"
        ) from error


def _is_read_only(path: Path) -> bool:
    return path.exists() and not os.access(path.parent, os.W_OK)


def _read_only_arguments(url: URL) -> dict[str, Any]:
    # As an address, which alone can ask SQLite not to write; `?`, `#` and `%` in the path have a meaning there.
    address = f"file:{quote(os.path.abspath(url.database or ''))}?mode=ro"
    # Optuna closes the connections of a pool from any thread.
    return {"creator": partial(sqlite3.connect, address, timeout=LOCK_SECONDS, uri=True, check_same_thread=False)}


def _open(url: URL, *, is_read_only: bool) -> BaseStorage:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        plain = url.render_as_string(hide_password=False)
        arguments = _read_only_arguments(url) if is_read_only else _arguments(url)
        return optuna.storages.get_storage(
            optuna.storages.RDBStorage(plain, engine_kwargs=arguments, skip_table_creation=is_read_only)
        )


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


def _cause(error: BaseException) -> str:
    """The driver's own words, which say what is wrong, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    original = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(original).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(original).__name__
