"""Passwords, keys and tokens are shown nowhere: not in messages, logs and failures, nor by `doctor`."""

from __future__ import annotations

import json
import logging

import pytest

from atinuke_bench.cli import main
from atinuke_bench.errors import ConfigError, first_line, one_line
from atinuke_bench.files import read_json
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.secrets import shown_url, without_secrets
from atinuke_bench.training.failure import write_failure
from atinuke_bench.training.guards import log_to


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ada@host/studies", "postgresql://ada@host/studies"),
        ("postgresql://ada:pass@host:5432/studies", "postgresql://ada:***@host:5432/studies"),
        ("postgresql://ada:p@ss/w?rd@host/studies", "postgresql://ada:***@host/studies"),
        ("postgresql://ada:p/ss@host/studies", "postgresql://ada:***@host/studies"),
        ("postgresql://ada:p ss@host/studies", "postgresql://ada:***@host/studies"),
        ("postgresql://ada:pass@[::1]:5432/studies", "postgresql://ada:***@[::1]:5432/studies"),
        ("postgresql://[::1]:5432/studies?user=ada", "postgresql://[::1]:5432/studies?user=ada"),
        ("postgresql://h/s?user=ada&password=pass", "postgresql://h/s?user=ada&password=***"),
        ("postgresql://h/s?options=-c%20password%3Dpass&a=1", "postgresql://h/s?options=***&a=1"),
        (
            "mysql://h/s?ssl_key=/key.pem&passfile=/f&charset=utf8",
            "mysql://h/s?ssl_key=/key.pem&passfile=/f&charset=utf8",
        ),
        ("https://token@api.host/path@v1", "https://***@v1"),
        ("https://host/path@v1?sig=abc&x=1#token=abc", "https://host/path@v1?sig=***&x=1#token=***"),
        ("http://proxy:3128", "http://proxy:3128"),
        ("ada:pass@proxy:3128", "***@proxy:3128"),
        ("sqlite:////folder/study.db", "sqlite:////folder/study.db"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url, shown):
    assert shown_url(url) == shown


@pytest.mark.parametrize("name", ["token", "HF_TOKEN", "access_token", "password", "db_pwd", "WANDB_API_KEY", "apikey"])
def test_an_assigned_secret_is_hidden(name):
    assert without_secrets(f"refused: {name} = abc123; {name}=abc123", {}) == f"refused: {name} = ***; {name}=***"


def test_a_text_loses_its_secrets_and_nothing_else():
    text = "connection to 'mysql://ada:pass@h/s' failed; pwd=pass, tokens=5; see /home/ada:1 and hf_longtoken123"
    shown = "connection to 'mysql://ada:***@h/s' failed; pwd=***, tokens=5; see /home/ada:1 and ***"
    environment = {"HF_TOKEN": "hf_longtoken123", "PWD": "/home/ada", "TOKENIZERS_PARALLELISM": "connection"}
    assert without_secrets(text, environment) == shown


@pytest.mark.parametrize(
    "text",
    [
        "token_budget=2048, batch_tokens=4096, tokens = 7, key=value, tokenizer.vocab_size=200",
        "forward_flops_per_token=12288 bits_per_token = 1.5",
        "mask_token=[MASK] unk_token = <unk>, special_token=[PAD]",
        'if token == "]": raise ValueError',
        "password: required; no secret is kept, a token a word",
    ],
)
def test_a_text_without_secrets_stays_as_it_is(text):
    assert without_secrets(text, {}) == text


def test_errors_logs_and_failures_are_without_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "swordfish-0123456789")
    error = ConnectionError("https://ada:swordfish@host/x refused swordfish-0123456789")
    for said in (first_line(error), one_line(error), str(ConfigError(f"no address: {error}"))):
        assert "swordfish" not in said
    folder = RunFolder(tmp_path)
    with log_to(folder):
        logging.getLogger("atinuke_bench.test").warning("refused by %s", "postgresql://ada:swordfish@host/x")
    write_failure(folder, error)
    failure = read_json(folder.failure)
    assert "***@host/x refused ***" in failure["message"]
    assert "***@host/x refused ***" in failure["traceback"]
    assert "ada:***@host/x" in folder.log.read_text()
    assert "swordfish" not in folder.log.read_text()


def test_doctor_shows_services_without_credentials(monkeypatch, capsys):
    for name in ("WANDB_BASE_URL", "HF_ENDPOINT"):
        monkeypatch.setenv(name, "http://ada:swordfish@127.0.0.1:9/api?token=swordfish")
    monkeypatch.setenv("ATINUKE_DATA", "s3://key:swordfish@host/data")
    monkeypatch.setattr("sys.argv", ["atinuke-bench", "doctor", "--json"])
    with pytest.raises(SystemExit):
        main()
    printed = capsys.readouterr().out
    assert "swordfish" not in printed
    assert "127.0.0.1:9" in json.loads(printed)["services"]["W&B"]
    monkeypatch.setenv("WANDB_BASE_URL", "http://ada:swordfish@host:port")
    with pytest.raises(SystemExit):
        main()
    printed = capsys.readouterr().out
    assert json.loads(printed)["services"]["W&B"] == "no address: http://***@host:port"
    assert "swordfish" not in printed


def test_a_traceback_on_the_screen_is_without_secrets(monkeypatch, capsys):
    def fail(*_, **__):
        raise RuntimeError("cannot reach https://ada:swordfish@host/x")

    monkeypatch.setattr("atinuke_bench.runs.doctor.examine", fail)
    monkeypatch.setattr("sys.argv", ["atinuke-bench", "doctor"])
    with pytest.raises(SystemExit, match="1"):
        main()
    printed = capsys.readouterr().err
    assert "RuntimeError: cannot reach https://***@host/x" in printed
    assert "swordfish" not in printed
