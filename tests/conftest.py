"""What all tests share: a cache of their own, one thread, and small files in the official layouts."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from atinuke_bench.config import RunConfig, SourceConfig, find_task, make_run_config

# Two processes of tests on two cores, each with many threads, would be ten times slower.
os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1", WANDB_MODE="offline")

NAMES = ("Ada", "Ben", "Cleo", "Dan")
VERBS = ("sees", "helps", "calls", "likes")
JUDGING = {"pos": ("great", "lovely", "superb"), "neg": ("awful", "dull", "poor")}
MNLI_HEAD = "index promptID pairID genre sentence1_binary_parse sentence2_binary_parse sentence1_parse sentence2_parse"


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or fills the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATINUKE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _sigint() -> None:
    """SIGINT interrupts, as tests that send it expect; a shell's background jobs ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real official files; the test is skipped where there is none."""
    place = os.environ.get("ATINUKE_DATA")
    if not place:
        pytest.skip("needs official data; set ATINUKE_DATA to its folder")
    return Path(place)


@pytest.fixture(scope="session")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small files of SNLI and every GLUE task, in the official layouts, odd content included."""
    return write_official(tmp_path_factory.mktemp("official"))


@pytest.fixture
def make_run(official: Path) -> Callable[..., RunConfig]:
    """`make_run(task, core, **overrides)`: a run of seconds on the small files; `__` stands for the dot of a path."""

    def make(task: str = "snli", core: str = "atinuke", *, seed: int = 0, **overrides: Any) -> RunConfig:
        small = {"training.max_epochs": 2, "training.batch_tokens": 256, "tokenizer.vocab_size": 200}
        return make_run_config(
            task,
            core,
            preset="nano",
            source=SourceConfig(data_dir=official),
            seed=seed,
            overrides={**small, **{name.replace("__", "."): value for name, value in overrides.items()}},
        )

    return make


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """`reviews.yaml`, with train as csv in two files and test as jsonl."""
    for name, seed in (("a.csv", 0), ("b.csv", 1)):
        (tmp_path / "train").mkdir(exist_ok=True)
        with (tmp_path / "train" / name).open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["key", "body", "stars"])
            rows.writerows((f"{name}-{key}", *rest) for key, *rest in reviews(30, seed))
    lines = [json.dumps({"key": key, "body": text, "stars": label}) for key, text, label in reviews(20, 2)]
    (tmp_path / "test.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "reviews.yaml").write_text(
        "name: reviews\nkind: classification\nsplits: {train: train/*.csv, test: test.jsonl}\n"
        "fields: {text: body, label: stars, id: key}\n"
    )
    return tmp_path


@pytest.fixture
def make_own() -> Callable[..., RunConfig]:
    """`make_own(file, core, **overrides)`: a run of seconds of a declared task."""

    def make(file: Path, core: str = "bilstm", **overrides: object) -> RunConfig:
        name, declaration = find_task(str(file))
        small = {"training.max_epochs": 1, "training.batch_tokens": 256, "tokenizer.vocab_size": 200}
        changed = {path.replace("__", "."): value for path, value in overrides.items()}
        return make_run_config(name, core, preset="nano", overrides={**small, **changed}, declaration=declaration)

    return make


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., SimpleNamespace]:
    """`cli(*arguments)`: status, standard output and standard error of a command."""
    from atinuke_bench.cli import main

    def call(*arguments: object) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["atinuke-bench", *map(str, arguments)])
        capfd.readouterr()
        try:
            main()
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
        out, err = capfd.readouterr()
        return SimpleNamespace(status=status, out=out, err=err)

    monkeypatch.delenv("ATINUKE_DATA", raising=False)
    return call


@pytest.fixture(scope="session")
def choice_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The declaration of a multiple-choice task; its examples have two to four choices, of different lengths."""
    folder, draw = tmp_path_factory.mktemp("choice"), random.Random(7)
    for split, size in (("train", 44), ("test", 8)):
        lines = []
        for _ in range(size):
            who = draw.sample(NAMES, draw.randint(2, 4))
            context = " ".join(f"{name} {draw.choice(VERBS)} {draw.choice(NAMES)} ." for name in who)
            choices = [f"{name} runs {'and runs ' * draw.randint(0, 3)}." for name in who]
            lines.append(json.dumps({"context": context, "choices": choices, "answer": draw.randrange(len(who))}))
        (folder / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    declared = "name: runners\nkind: multiple-choice\nsplits: {train: train.jsonl, test: test.jsonl}\n"
    (folder / "runners.yaml").write_text(declared, encoding="utf-8")
    return folder / "runners.yaml"


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`model_folder("bert")` or `("roberta")`: a model of two layers with random weights, as transformers saves one."""
    pytest.importorskip("transformers", reason="needs the extra 'pretrained'")
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in made:
            made[kind] = _write_model(tmp_path_factory.mktemp("models") / f"tiny-{kind}", kind)
        return made[kind]

    return make


def _write_model(folder: Path, kind: str) -> Path:
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    from atinuke_bench.config import TokenizerConfig
    from atinuke_bench.data.tokenizer import train_tokenizer

    words = " ".join((*NAMES, *VERBS, "says never runs")) + " A man walks . Who is Ada ?"
    if kind == "bert":
        tokenizer, special = train_tokenizer([words], TokenizerConfig(vocab_size=150, min_frequency=1)), {}
    else:
        special = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        names = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=320, special_tokens=names, initial_alphabet=alphabet, show_progress=False
        )
        tokenizer.train_from_iterator([words], trainer)
        tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    # As found on the Hub, where tokenizers come with settings of their own.
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=12)
    config = transformers.AutoConfig.for_model(
        kind,
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=66 if kind == "roberta" else 64,
        type_vocab_size=1 if kind == "roberta" else 2,
        **special,
    )
    torch.manual_seed(3)
    folder.mkdir()
    # With a head, as most models on the Hub, so that the encoder's weights stand under a prefix.
    transformers.AutoModelForMaskedLM.from_config(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def _hub_server_module() -> ModuleType:
    # Test folders are no packages, so a helper module is loaded by its path.
    spec = importlib.util.spec_from_file_location("hub_server", Path(__file__).parent / "hub_server.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["hub_server"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def hub() -> Iterator[Any]:
    """A running `hub_server.HubServer` without repositories."""
    with _hub_server_module().HubServer() as server:
        yield server


@pytest.fixture(scope="session")
def hub_environment() -> Callable[[str, Path], dict[str, str]]:
    """`hub_environment(endpoint, home)`: for a process that knows no Hub but `endpoint` and no cache but `home`."""
    return _hub_environment


def _hub_environment(endpoint: str, home: Path) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("HF_") and "proxy" not in name.lower()
    }
    quiet = {
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }
    return {**kept, **quiet, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "TMPDIR": str(home)}


def reviews(number: int, seed: int) -> list[tuple[str, str, str]]:
    """Id, text and label of reviews that one word decides."""
    draw = random.Random(seed)
    rows = []
    for place in range(number):
        label = draw.choice(["pos", "neg"])
        words = [draw.choice(["the", "film", "was", "story", "and"]) for _ in range(6)]
        words.insert(draw.randrange(6), draw.choice(JUDGING[label]))
        rows.append((f"r{place}", " ".join(words), label))
    return rows


def write_official(folder: Path) -> Path:
    """Write SNLI and all of GLUE with a few dozen sentences each."""
    pairs = _pairs(60)
    _write_snli(folder / "snli", pairs)
    text = [(first, second, label) for first, second, label in pairs]
    _write(folder / "glue/CoLA/train.tsv", None, [["gj04", n % 2, "", a] for n, (a, _, _) in enumerate(text[:40])])
    _write(folder / "glue/CoLA/dev.tsv", None, [["gj04", n % 2, "*", b] for n, (_, b, _) in enumerate(text[:10])])
    _write(folder / "glue/CoLA/test.tsv", "index sentence", [[n, a] for n, (a, _, _) in enumerate(text[:5])])
    _splits(folder / "glue/SST-2", "sentence label", text, lambda n, a, b: [a, n % 2], test="index sentence")
    mrpc = "Quality #1_ID #2_ID #1_String #2_String"
    _splits(
        folder / "glue/MRPC",
        "\ufeff" + mrpc,
        text,
        lambda n, a, b: [n % 2, n, n + 900, a, b],
        test="index #1_ID #2_ID #1_String #2_String",
    )
    qqp = "id qid1 qid2 question1 question2 is_duplicate"
    _splits(folder / "glue/QQP", qqp, text, lambda n, a, b: [n, n, n, a, b, n % 2], test="id question1 question2")
    with open(folder / "glue/QQP/train.tsv", "a", encoding="utf-8") as file:
        file.write("77\t1\t2\tcut off in the middle\n")  # the official file has such lines
    stsb = "index genre filename year old_index source1 source2 sentence1 sentence2 score"
    _splits(
        folder / "glue/STS-B",
        stsb,
        text,
        lambda n, a, b: [n, "g", "f", 2012, n, "s", "s", a, b, f"{n % 6}.000"],
        test=stsb.removesuffix(" score"),
    )
    _write_mnli(folder / "glue/MNLI", text)
    _splits(
        folder / "glue/QNLI",
        "index question sentence label",
        text,
        lambda n, a, b: [n, a, b, ("entailment", "not_entailment")[n % 2]],
        test="index question sentence",
    )
    _splits(
        folder / "glue/RTE",
        "index sentence1 sentence2 label",
        text,
        lambda n, a, b: [n, a, b, ("entailment", "not_entailment")[n % 2]],
        test="index sentence1 sentence2",
    )
    _splits(
        folder / "glue/WNLI",
        "index sentence1 sentence2 label",
        text,
        lambda n, a, b: [n, a, b, n % 2],
        test="index sentence1 sentence2",
    )
    _write(folder / "glue/AX/AX.tsv", "index sentence1 sentence2", [[n, a, b] for n, (a, b, _) in enumerate(text[:6])])
    return folder


def _pairs(count: int) -> list[tuple[str, str, str]]:
    """Premise, hypothesis, label: the same fact, another fact, or its denial. Quotes are part of the text."""
    draw = random.Random(5)
    pairs = []
    for number in range(count):
        who, verb, whom = draw.choice(NAMES), draw.choice(VERBS), draw.choice(NAMES)
        premise = f'{who} {verb} {whom} and says "{number % 7}.'
        label = ("entailment", "neutral", "contradiction")[number % 3]
        hypothesis = {
            "entailment": f"{who} {verb} {whom}",
            "neutral": f"{draw.choice(NAMES)} runs",
            "contradiction": f"{who} never {verb} {whom}",
        }[label]
        pairs.append((premise, hypothesis, label))
    return pairs


def _write_snli(folder: Path, pairs: list[tuple[str, str, str]]) -> None:
    folder.mkdir(parents=True)
    for split, rows in (("train", pairs[:42]), ("dev", pairs[42:51]), ("test", pairs[51:])):
        records = [
            {"gold_label": label, "sentence1": first, "sentence2": second, "pairID": f"{split}-{number}"}
            for number, (first, second, label) in enumerate(rows)
        ]
        records.append({**records[0], "gold_label": "-", "pairID": f"{split}-none"})
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (folder / f"snli_1.0_{split}.jsonl").write_text(lines, encoding="utf-8")


def _write_mnli(folder: Path, text: list[tuple[str, str, str]]) -> None:
    def row(number: int, first: str, second: str) -> list[Any]:
        return [number, number, number, "fiction", "-", "-", "-", "-", first, second]

    head = f"{MNLI_HEAD} sentence1 sentence2"
    for name, rows in (("train", text[:40]), ("dev_matched", text[40:50]), ("dev_mismatched", text[50:])):
        labelled = [[*row(n, a, b), label, label] for n, (a, b, label) in enumerate(rows)]
        _write(folder / f"{name}.tsv", f"{head} label1 gold_label", labelled)
    for name in ("test_matched", "test_mismatched"):
        _write(folder / f"{name}.tsv", head, [row(n, a, b) for n, (a, b, _) in enumerate(text[:6])])


def _splits(
    folder: Path, head: str, text: list[tuple[str, str, str]], row: Callable[..., list[Any]], *, test: str
) -> None:
    """train, dev and test of a task whose test file lacks the label and starts with the index."""
    for name, rows in (("train", text[:40]), ("dev", text[40:52])):
        _write(folder / f"{name}.tsv", head, [row(n, a, b) for n, (a, b, _) in enumerate(rows)])
    width = len(test.split())
    unlabelled = [[n, *["x"] * (width - 3), a, b] if width > 2 else [n, a] for n, (a, b, _) in enumerate(text[:6])]
    _write(folder / "test.tsv", test, unlabelled)


def _write(path: Path, head: str | None, rows: list[list[Any]]) -> None:
    """`head` has spaces between columns and `_` where a column's name has a space."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = [] if head is None else [name.replace("#1_", "#1 ").replace("#2_", "#2 ") for name in head.split(" ")]
    lines = [*(["\t".join(columns)] if columns else []), *("\t".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
